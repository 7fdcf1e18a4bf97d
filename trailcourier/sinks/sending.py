"""A batch on its way into a sink: cut to size, retried, bisected when the sink rejects it.

The outcome is told piece by piece, from left to right, so that progress can be stored after each:
whatever happens next, the records before the last told piece are not sent again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Event

import msgspec
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from trailcourier import observe
from trailcourier.errors import Fault, Rejected
from trailcourier.sinks.bisection import Accepted, Bisection
from trailcourier.sinks.delivery import Delivery
from trailcourier.sinks.oversize import fit
from trailcourier.sinks.terms import Terms

TRANSIENT = frozenset({"sink-unreachable", "sink-busy", "sink-error"})
LONGEST_WAIT = 2.0  # seconds between two tries; a worker told to stop waits for no more than this

Numbered = tuple[int, bytes]
"""A record and its ordinal: its place in the log file, from 0."""


class Refused(msgspec.Struct, frozen=True):
    """One record that the sink will not take, and why."""

    ordinal: int
    reason: str
    detail: str


class Taken(msgspec.Struct, frozen=True):
    """One settled piece of a batch.

    *next* is one more than the ordinal of its last record; *delivered* is how many records the
    sink accepted, *truncated* how many of these were cut to size.  *left* are ordinals before
    *next* that are not settled: the sink accepted a later record as a probe, then a fault came.
    """

    next: int
    delivered: int
    refused: tuple[Refused, ...] = ()
    truncated: int = 0
    left: tuple[int, ...] = ()


def deliver(
    delivery: Delivery,
    records: Sequence[Numbered],
    *,
    terms: Terms,
    stopping: Event,
    accepted: Accepted = "nothing",
) -> Iterator[Taken]:
    """Send *records*, in ascending order of their ordinals, and tell each piece once it is settled.

    *accepted* says what the sink has accepted so far, see ``bisection``.  Raises Fault for what is
    not about one record, and with reason ``stopping`` between two requests once *stopping* is set;
    what was told before stays settled.
    """
    load, misfits, truncated = _cut(records, terms)

    def send(batch: Sequence[bytes]) -> None:
        attempt(lambda: delivery.send(batch), terms=terms, stopping=stopping)

    batch = [record for _, record in load]
    cut = Bisection(send, batch, stopping, at_once=terms.at_once, accepted=accepted)
    settled = 0
    try:
        for start, end, rejected in cut.pieces():
            piece = [ordinal for ordinal, _ in load[start:end]]
            until = load[end][0] if end < len(load) else None
            refused = _before(until, misfits)
            if rejected:
                refused.append(Refused(piece[0], rejected.reason, rejected.detail))
                piece = []
            settled = end
            yield _taken(piece, refused, truncated)
    except Fault:
        if ahead := [load[at][0] for at in cut.ahead]:
            yield _ahead(ahead, load[settled:], misfits, truncated)
        raise
    if misfits:
        yield _taken([], misfits, truncated)


def attempt(call: Callable[[], None], *, terms: Terms, stopping: Event) -> None:
    """Make *call*, again and again while its Fault is one that may pass, as *terms* allow.

    No wait begins that could end later than ``retry_seconds`` after the first try, nor any once
    *stopping* is set: then the Fault is let through.  So is one that asks to be left alone for
    longer than a wait may be.
    """
    deadline = time.monotonic() + terms.retry_seconds
    longest = min(LONGEST_WAIT, terms.retry_seconds / terms.retry_attempts)

    def again(error: Exception) -> bool | float:
        if not isinstance(error, Fault) or error.reason not in TRANSIENT or stopping.is_set():
            return False
        in_time = time.monotonic() + longest <= deadline and error.after <= longest
        return (error.after or True) if in_time else False

    for each in stamina.retry_context(
        again, attempts=terms.retry_attempts, timeout=None, wait_max=longest, wait_jitter=0.5
    ):
        with each:
            call()


def _tell(details: RetryDetails) -> None:
    error = details.caused_by
    where = error.where if isinstance(error, Fault) else ""
    observe.fact("sink_tried_again", sink=where, tries=details.retry_num, why=str(error))


set_on_retry_hooks((_tell,))  # stamina's own would write a second log, and to standard output


def _cut(
    records: Sequence[Numbered], terms: Terms
) -> tuple[Sequence[Numbered], list[Refused], set[int]]:
    """Tell what fits, what never will, and the ordinals of what was cut to fit."""
    limit = terms.max_record_bytes
    if all(len(record) <= limit for _, record in records):
        return records, [], set()
    load: list[Numbered] = []
    misfits: list[Refused] = []
    truncated: set[int] = set()
    for ordinal, record in records:
        try:
            load.append((ordinal, fit(record, limit, terms.oversize)))
        except Rejected as error:
            misfits.append(Refused(ordinal, error.reason, error.detail))
        else:
            if len(record) > limit:
                truncated.add(ordinal)
    return load, misfits, truncated


def _before(until: int | None, misfits: list[Refused]) -> list[Refused]:
    """Take out of *misfits* those before the ordinal *until*."""
    found = [each for each in misfits if until is None or each.ordinal < until]
    del misfits[: len(found)]
    return found


def _ahead(
    accepted: Sequence[int], load: Sequence[Numbered], misfits: list[Refused], truncated: set[int]
) -> Taken:
    """Tell of records *accepted* out of turn; what else is in *load* and *misfits* is left."""
    told = _taken(accepted, (), truncated)
    unsettled = {ordinal for ordinal, _ in load} | {each.ordinal for each in misfits}
    left = sorted(at for at in unsettled.difference(accepted) if at < told.next)
    return msgspec.structs.replace(told, left=tuple(left))


def _taken(accepted: Sequence[int], refused: Sequence[Refused], truncated: set[int]) -> Taken:
    ordinals = [*accepted[-1:], *(each.ordinal for each in refused)]
    return Taken(
        next=max(ordinals) + 1,
        delivered=len(accepted),
        refused=tuple(sorted(refused, key=lambda each: each.ordinal)),
        truncated=len(truncated.intersection(accepted)),
    )
