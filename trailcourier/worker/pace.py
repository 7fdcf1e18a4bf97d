"""How many objects a worker forwards as one group."""

SIZE = 8
"""Objects of one group, at most."""

LONGEST = 0.25
"""Seconds that a group may take: where one object takes as long, each is a group of its own."""


class Pace:
    """How long one object took lately, which decides how many go in one group.

    Threads may share one: a note that is lost to another changes little.
    """

    def __init__(self) -> None:
        self._seconds = LONGEST  # of one object; the first is alone

    def note(self, seconds: float, objects: int) -> None:
        """Note how long a group took; a few groups outweigh all before."""
        self._seconds += (seconds / objects - self._seconds) / 4

    def size(self) -> int:
        """Return how many objects to work on together."""
        return max(1, min(SIZE, int(LONGEST / max(self._seconds, 1e-6))))
