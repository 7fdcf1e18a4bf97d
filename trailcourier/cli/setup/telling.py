"""What the verbs of ``setup`` say: one line for each step, the same words before and after."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from trailcourier.cli import output
from trailcourier.provision import Layout, Request, Step, Told
from trailcourier.provision.elsewhere import Elsewhere
from trailcourier.provision.steps import shown

_WIDTH = 14  # of the longest state


def line(told: Told) -> str:
    detail = f" ({told.detail})" if told.detail else ""
    return f"{told.state:<{_WIDTH}} {told.step}: {told.words}{detail}"


def whose(layout: Layout, caller: str = "") -> str:
    by = f", as {caller}" if caller else ""
    return f"account {layout.account}, {layout.region}, partition {layout.partition}{by}"


def sum_of(told: Sequence[Told]) -> str:
    counts = Counter(each.state for each in told)
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def nothing_of(request: Request, told: Sequence[Told]) -> Iterator[str]:
    """Where destroying found nothing at all: what was looked for may be called otherwise."""
    if {each.state for each in told} == {"not there"}:
        yield (
            f"Nothing called {request.name} was found in {request.region}. Give the options it was "
            "made with: --name, --region, --bucket, --delivery, --reader."
        )


def others(steps: Iterable[Elsewhere]) -> Iterator[str]:
    """What cannot be done from here."""
    for each in steps:
        yield ""
        yield from each.lines()


def say(lines: Iterable[str]) -> None:
    for each in lines:
        output.say(each)


def as_json(told: Sequence[Told]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(each) for each in told]


def steps_as_json(steps: Sequence[Step], told: Sequence[Told]) -> list[dict[str, Any]]:
    """Each step with the calls that it takes."""
    return [
        {
            **msgspec.to_builtins(each),
            "resource": step.resource,
            "calls": [
                {"call": str(call), "region": call.region, "parameters": shown(call.parameters)}
                for call in step.make
            ],
        }
        for step, each in zip(steps, told, strict=True)
    ]


def elsewhere_as_json(steps: Iterable[Elsewhere]) -> list[Any]:
    return [msgspec.to_builtins(each) for each in steps]
