"""Outcomes: what became of an object, written once, with everything that follows from it.

One script writes the outcome, the sums, the marks and the breakers, so that none of them can be
there without the others.  ``delivered`` is final.
"""

from collections.abc import Mapping, Sequence

import msgspec

from trailcourier.dispositions import REASONS
from trailcourier.errors import Stale
from trailcourier.ledger.claims import Claim
from trailcourier.ledger.entries import encoded_ref, room
from trailcourier.ledger.quarantine import Entry, encoded, entry_id
from trailcourier.ledger.scopes import Failing
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store
from trailcourier.models import Outcome


class Report(msgspec.Struct, frozen=True):
    """What a forward tells the ledger at its end.

    *sums* are counter increments that count once, with a final outcome; *state* is progress and
    rejected records to keep; *succeeded* names breakers that saw a success, and *ago* how many
    milliseconds ago, where that was not just now; *breakers* are those that count this failure;
    *etag* is the content read; *delivered* are the digests to remember.
    """

    outcome: Outcome
    etag: str = ""
    sums: Mapping[str, int] = {}
    state: Mapping[str, str | int] = {}
    succeeded: Sequence[str] = ()
    ago: Mapping[str, int] = {}
    breakers: Sequence[Failing] = ()
    delivered: bytes = b""


class Written(msgspec.Struct, frozen=True):
    """What a forward's outcome came to.

    *settle* asks for a settle: its message has no open object left, and nobody else has asked for
    those finished just now.  *opened* is the breaker that this failure opened, if one did; *closed*
    are those that it was the first success of.  *unfit* is the breaker of this host alone that is
    open: other hosts should take what this one would.  *again*: it was refused, as it had been
    before.
    """

    outcome: Outcome
    settle: bool
    opened: str = ""
    closed: Sequence[str] = ()
    unfit: str = ""
    again: bool = False


WRITE_OUTCOME = Script("write_outcome")


class Outcomes:
    """The outcomes of one source's objects."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def finish(
        self, claim: Claim, report: Report, *, jitter: float, host: str = "",
        entry: Entry | None = None,
    ) -> Written:  # fmt: skip
        """Write an object's outcome; *jitter* in 0..1 scales the wait of a parked one.

        *host* is the name of the host that worked on it, as heartbeats tell it; *entry* is its
        entry in quarantine, should it be refused.

        The answer may be another outcome: tries used up turn parked into refused.  Raises Stale
        where the claim was overtaken.
        """
        answer = self._store.call(
            WRITE_OUTCOME, claim.message, claim.index, claim.oid, claim.token, claim.task_id,
            self._facts(report, jitter, host), msgspec.json.encode(report.sums), self._store.spans,
            report.delivered, report.etag, entry_id(claim.ref), claim.known,
            encoded(entry) if entry else b"", encoded_ref(claim.ref), room(self._store),
        )  # fmt: skip
        if answer[0] == b"stale":
            raise Stale(f"the claim on {claim.ref} was overtaken")
        outcome = Outcome(answer[0].decode(), answer[1].decode(), report.outcome.detail)
        closed = [name.decode() for name in answer[4]]
        opened, unfit, again = answer[3].decode(), answer[5].decode(), answer[6:] == [1]
        return Written(outcome, bool(answer[2]), opened, closed, unfit, again)

    def _facts(self, report: Report, jitter: float, host: str) -> bytes:
        numbers, outcome = self._store.numbers, report.outcome
        reason = REASONS.get(outcome.reason)
        return msgspec.json.encode(
            {
                "status": outcome.status,
                "reason": outcome.reason,
                "text": outcome.detail[:500],
                "ok": report.succeeded,
                "ago": report.ago,
                "state": report.state,
                "breakers": report.breakers,
                "host": host,
                "alive": numbers.heartbeat * 1000,
                "parked": numbers.parked,
                "tries": reason.tries if reason else 0,
                "alone": numbers.starts_alone,
                "beside": bool(reason and reason.beside_success),
                "failures": numbers.breaker_failures,
                "first": numbers.park_first * 1000,
                "last": numbers.park_last * 1000,
                "jitter": jitter,
            }
        )
