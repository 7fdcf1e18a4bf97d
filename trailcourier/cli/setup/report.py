"""What the verbs of ``setup`` print: one line per step, in the same words before and after."""

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from trailcourier.cli import output
from trailcourier.provision import Layout, SetupRequest, Step, StepReport, trail_advice
from trailcourier.provision.manual_steps import ManualStep
from trailcourier.provision.steps import show_placeholders

WIDTH = 12  # of the column of states


def say(line: str) -> None:
    """Print *line*; a terminal gets it wrapped, unless it is indented: a command to copy."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    if len(line) <= width or not width or line.startswith(" "):
        output.say(line)
        return
    indent = " " * (WIDTH + 1) if line[WIDTH : WIDTH + 1] == " " and ": " in line else "  "
    for each in textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ):
        output.say(each)


def say_lines(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def format_step(report: StepReport) -> str:
    detail = f" ({report.detail})" if report.detail else ""
    return f"{report.state:<{WIDTH}} {report.step}: {report.summary}{detail}"


def format_account(layout: Layout, caller: str = "") -> str:
    by = f", as {caller}" if caller else ""
    return f"account {layout.account}, {layout.region}, partition {layout.partition}{by}"


def format_totals(reports: Sequence[StepReport]) -> str:
    counts = Counter(each.state for each in reports)
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def explain_nothing_found(request: SetupRequest, reports: Sequence[StepReport]) -> Iterator[str]:
    """Yield advice where ``destroy`` found none of the resources: they may have other names."""
    if {each.state for each in reports} == {"not found"}:
        yield (
            f"Found nothing named {request.name} in {request.region}. Give the options that it was "
            "set up with: --name, --region, --bucket, --delivery, --reader."
        )


def warn_of_second_trail(layout: Layout) -> Iterator[str]:
    """Yield what an export should not keep silent: that a trail may cover the account already."""
    facts = layout.facts
    yield from trail_advice.list_objections(layout)
    if layout.request.trail and (facts.trails_unread or not facts.account):
        yield (
            facts.trails_unread
            or "AWS was not asked whether a trail covers the account already "
            "(it charges for a second one): `trailcourier setup plan` asks"
        )


def format_manual_steps(steps: Iterable[ManualStep]) -> Iterator[str]:
    """Yield the lines of each step that setup cannot do itself, after an empty line."""
    for each in steps:
        yield ""
        yield from each.lines()


def steps_to_json(steps: Sequence[Step], reports: Sequence[StepReport]) -> list[dict[str, Any]]:
    """Return each step's report with the calls that create it."""
    return [
        {
            **msgspec.to_builtins(report),
            "resource": step.resource,
            "calls": [
                {
                    "call": str(call),
                    "region": call.region,
                    "parameters": show_placeholders(call.parameters),
                }
                for call in step.create_calls
            ],
        }
        for step, report in zip(steps, reports, strict=True)
    ]
