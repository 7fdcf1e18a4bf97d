"""``trailcourier doctor``, called in this process, and its answer."""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from tests.support.aws_front import Front
from trailcourier import cli
from trailcourier.doctor import deadlines
from trailcourier.doctor.subject import Subject

CONFIG = """
[broker]
url = "env:BROKER"
[sources.prod]
queue_url = "{queue}"
queue_region = "eu-west-1"
bucket_region = "eu-west-1"
buckets = ["acme-cloudtrail"]
sinks = ["archive"]
[sinks.archive]
type = "file"
path = "events"
"""


def fall_silent(monkeypatch: pytest.MonkeyPatch, front: Front, *services: str) -> None:
    """Let *services* answer nothing, and the time for a call to them end when they were asked.

    All other calls keep the whole of their time, however slow the machine is.
    """
    front.silent.update(services)
    ask, run_within, asked = Subject.ask, deadlines.run_within, threading.local()

    def asks(subject: Subject, call: Any) -> Any:
        asked.service = call.service
        try:
            return ask(subject, call)
        finally:
            asked.service = ""

    def waits(seconds: float, do: Callable[[], Any]) -> Any:
        if (service := getattr(asked, "service", "")) not in front.silent:
            return run_within(seconds, do)
        deadlines.start_thread(do)
        assert front.unanswered[service].wait(30), f"{service} was never asked"
        raise TimeoutError

    monkeypatch.setattr(Subject, "ask", asks)
    monkeypatch.setattr(deadlines, "run_within", waits)


class Finding(NamedTuple):
    source: str
    level: str
    id: str
    text: str
    fix: str


class Doctor(NamedTuple):
    """The exit status, the findings and the output of one call."""

    code: int
    findings: tuple[Finding, ...]
    output: Mapping[str, Any]
    err: str

    @classmethod
    def call(
        cls, capfd: Any, config: str, *arguments: str, instead: Mapping[str, str] | None = None,
        more: str = "",
    ) -> Self:  # fmt: skip
        """Call it on *config*, in which *instead* replaces words and *more* comes last."""
        for old, new in (instead or {}).items():
            assert old in config, old
            config = config.replace(old, new)
        Path("trailcourier.toml").write_text(config + more)
        capfd.readouterr()
        code = cli.execute(["doctor", "--json", *arguments])
        out, err = capfd.readouterr()
        output = json.loads(out)
        findings = tuple(Finding(**each) for each in output["findings"])
        return cls(code, findings, output, err)

    def of(self, id_: str) -> list[Finding]:
        return [each for each in self.findings if each.id == id_]

    def one(self, id_: str) -> Finding:
        (found,) = self.of(id_)
        return found

    @property
    def levels(self) -> dict[str, str]:
        return {each.id: each.level for each in self.findings}

    @property
    def errors(self) -> list[str]:
        return [each.id for each in self.findings if each.level == "error"]

    @property
    def worst(self) -> str | None:
        """The id to begin with: the first error or, without any, the first warning."""
        for level in ("error", "warning"):
            if found := [each.id for each in self.findings if each.level == level]:
                return found[0]
        return None
