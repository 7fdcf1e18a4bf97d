"""Outcomes: what became of each object, written together with everything that follows from it.

One script writes the outcome, the sums, the delivery marks and the breakers, so that none of them
exists without the others.  ``delivered`` is final.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trailcourier.errors import Stale
from trailcourier.ledger.claims import Claim
from trailcourier.ledger.entries import encode_limits, encode_ref
from trailcourier.ledger.quarantine import QuarantineEntry, encode_entry, entry_id
from trailcourier.ledger.scopes import Failing
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store
from trailcourier.models import Outcome
from trailcourier.reasons import REASONS


class Report(msgspec.Struct, frozen=True):
    """What a forward reports to the ledger at its end.

    | field | meaning |
    |---|---|
    | *etag* | the content that was read |
    | *sums* | counter increments, counted once, with a final outcome |
    | *state* | progress and rejected records to keep, as fields of the object's hash |
    | *succeeded* | the breakers that saw a success |
    | *succeeded_at* | when, in ms of the broker's clock; a breaker not in it saw it just now |
    | *breakers* | the breakers that count this failure, the narrowest first |
    | *waits_for* | the breaker the object waits for, where none counts the failure |
    | *delivered* | the content digests to remember as delivered, 4 bytes each |
    """

    outcome: Outcome
    etag: str = ""
    sums: Mapping[str, int] = {}
    state: Mapping[str, str | int] = {}
    succeeded: Sequence[str] = ()
    succeeded_at: Mapping[str, int] = {}
    breakers: Sequence[Failing] = ()
    waits_for: str = ""
    delivered: bytes = b""


class WrittenOutcome(msgspec.Struct, frozen=True):
    """What the ledger made of a forward's report.

    *settle* asks for a settle: the message has no open object left, and no other forward has asked
    for the messages finished just now.  *opened* is the breaker that this failure opened, if any;
    *closed* are those that its successes closed.  *host_breaker* is this host's own open breaker:
    while it is open, other hosts should take the objects.  *refused_before* says that the object
    was refused, and was in quarantine already.
    """

    outcome: Outcome
    settle: bool
    opened: str = ""
    closed: Sequence[str] = ()
    host_breaker: str = ""
    refused_before: bool = False


class EndedForward(msgspec.Struct, frozen=True):
    """A forward that has ended, and what it reports.

    *jitter* in 0..1 scales the wait of its object if that is parked; *entry* is the object's
    quarantine entry, should it be refused.
    """

    claim: Claim
    report: Report
    jitter: float
    entry: QuarantineEntry | None = None


WRITE_OUTCOME = Script("write_outcome")


class Outcomes:
    """Writes the outcomes of one source's objects, as forwards report them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def write(
        self, claim: Claim, report: Report, *, jitter: float, host: str = "",
        entry: QuarantineEntry | None = None,
    ) -> WrittenOutcome:  # fmt: skip
        """Write one outcome, as ``write_all`` does; raises Stale if its claim was overtaken."""
        (written,) = self.write_all([EndedForward(claim, report, jitter, entry)], host=host)
        if written is None:
            raise Stale(f"the claim on {claim.ref} was overtaken")
        return written

    def write_all(
        self, ended: Sequence[EndedForward], *, host: str = ""
    ) -> list[WrittenOutcome | None]:
        """Write the outcome of each object, in one round trip.

        *host* is the host that worked on them, named as in heartbeats.  The answer may be another
        outcome than the report's: an object whose reason has *tries* is parked until they are used
        up, and then refused.  It is None where another task has overtaken the claim: nothing was
        written then.
        """
        answers = self._store.call_all(
            WRITE_OUTCOME, [self._arguments(each, host) for each in ended]
        )
        return [_read_written(*each) for each in zip(ended, answers, strict=True)]

    def _arguments(self, ended: EndedForward, host: str) -> Sequence[Any]:
        claim, report, entry = ended.claim, ended.report, ended.entry
        return (
            claim.message, claim.index, claim.oid, claim.token,
            self._facts(report, ended.jitter, host), msgspec.json.encode(report.sums),
            self._store.spans, report.delivered, report.etag, entry_id(claim.ref), claim.marks,
            encode_entry(entry) if entry else b"", encode_ref(claim.ref),
            encode_limits(self._store),
        )  # fmt: skip

    def _facts(self, report: Report, jitter: float, host: str) -> bytes:
        """Return what the script decides by, as JSON; times are in milliseconds.

        Besides the report's own fields, its *detail* as ``text``, *host* and *jitter*, these are:

        | key | meaning |
        |---|---|
        | heartbeat_life | life of a heartbeat |
        | most_parked | parked objects a bucket and account may have |
        | most_tries | the tries after which the object is refused; 0: the report's status stands |
        | needs_success | refuse only if other objects succeeded since the first try |
        | starts_alone | the starts after which an object runs alone |
        | failures | distinct failures that open a breaker |
        | first_wait, last_wait | the first and the longest wait of a parked object |
        """
        numbers, outcome = self._store.numbers, report.outcome
        reason = REASONS.get(outcome.reason)
        return msgspec.json.encode(
            {
                "status": outcome.status,
                "reason": outcome.reason,
                "text": outcome.detail[:500],
                "succeeded": report.succeeded,
                "succeeded_at": report.succeeded_at,
                "state": report.state,
                "breakers": report.breakers,
                "waits_for": report.waits_for,
                "host": host,
                "heartbeat_life": numbers.heartbeat * 1000,
                "most_parked": numbers.parked,
                "most_tries": reason.tries if reason else 0,
                "starts_alone": numbers.starts_alone,
                "needs_success": bool(reason and reason.only_if_others_succeed),
                "failures": numbers.breaker_failures,
                "first_wait": numbers.park_first * 1000,
                "last_wait": numbers.park_last * 1000,
                "jitter": jitter,
            }
        )


def _read_written(ended: EndedForward, answer: Sequence[Any]) -> WrittenOutcome | None:
    if answer[0] == b"stale":
        return None
    outcome = Outcome(answer[0].decode(), answer[1].decode(), ended.report.outcome.detail)
    closed = [name.decode() for name in answer[4]]
    opened, host_breaker, before = answer[3].decode(), answer[5].decode(), answer[6:] == [1]
    return WrittenOutcome(outcome, bool(answer[2]), opened, closed, host_breaker, before)
