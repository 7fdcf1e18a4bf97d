"""What happened in one run, step by step: what is checked, and what a failing seed prints."""

import hashlib
from typing import NamedTuple


class Step(NamedTuple):
    """At *at* milliseconds *who* did *what*; *told* is what a person needs to follow it."""

    at: int
    who: str
    what: str
    told: str

    def __str__(self) -> str:
        return f"{self.at / 1000:10.3f} s  {self.who:14} {self.what:22} {self.told}".rstrip()


class History:
    """The steps of one run."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def add(self, at: int, who: str, what: str, told: str = "") -> None:
        self.steps.append(Step(at, who, what, told))

    def digest(self) -> str:
        """The same for two runs that went the same way."""
        text = "\n".join(map(str, self.steps))
        return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()

    def lines(self) -> list[str]:
        return [str(step) for step in self.steps]
