"""Claims: which forward works on which object, and its progress.

A claim consists of a deadline, a token and the id of the task that holds it.  Every write of a
forward carries its token; the ledger refuses the writes of a forward that another has overtaken.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from trailcourier.errors import Stale
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store, content_digest
from trailcourier.models import ObjectRef, Outcome

Granted = Literal["go", "alone", "duplicate", "held", "done", "gone", "parked", "refused"]


class Claim(msgspec.Struct, frozen=True):
    """A forward's hold on one object; it is passed back with every write.

    *marks* are the object's delivery marks when it was claimed: if they have changed, another task
    has delivered the object.  *claimed_at* is in milliseconds of the broker's clock.
    """

    message: str
    index: int
    token: str
    task_id: str
    oid: bytes
    ref: ObjectRef
    marks: bytes = b""
    claimed_at: int = 0


class ObjectProgress(msgspec.Struct, frozen=True):
    """What earlier tries of an object left behind.

    | field | meaning | kept as |
    |---|---|---|
    | *etag* | the content that the fields below are about | ``e`` |
    | *next* | by sink, the ordinal of the next record to send | ``p`` |
    | *refused_before* | by sink, the records that it refused | ``j`` |
    | *resend* | by sink, records before *progress* that are still open | ``l`` |
    | *rejected_alone* | by sink, open records that it rejected when sent alone | ``a`` |
    | *counted* | whether the sums have counted the object's records | ``n`` |
    | *refused_counted* | by sink, how many refused records the sums have counted | ``c`` |
    | *accepting_sinks* | the sinks that accepted any of the records | ``o`` |

    "Kept as" names the field of ``o:<oid>`` in ``schema.md``.  *delivered_digests* are the contents
    delivered before.  *sinks_accepting_others* accepted other records from this host since they
    last rejected one of this object's records that was sent alone.
    """

    etag: str = ""
    next: Mapping[str, int] = {}
    refused_before: Mapping[str, tuple[int, ...]] = {}
    resend: Mapping[str, tuple[int, ...]] = {}
    rejected_alone: Mapping[str, tuple[int, ...]] = {}
    counted: bool = False
    refused_counted: Mapping[str, int] = {}
    accepting_sinks: tuple[str, ...] = ()
    delivered_digests: bytes = b""
    sinks_accepting_others: tuple[str, ...] = ()

    def delivered(self, etag: str) -> bool:
        """Say whether the content with this etag was delivered before."""
        digest = content_digest(etag)
        digests = self.delivered_digests
        return digest in (digests[at : at + 4] for at in range(0, len(digests), 4))


class ClaimRequest(msgspec.Struct, frozen=True):
    """A forward that asks to work on object *index* of the lease of *message*.

    *alone* says that nothing else runs in its process.
    """

    message: str
    index: int
    generation: int
    token: str
    task_id: str
    alone: bool = False


class ClaimAnswer(msgspec.Struct, frozen=True):
    """The ledger's answer to a forward that asks for a claim.

    | kind | meaning |
    |---|---|
    | "go" | *claim* is granted; *progress* is what earlier tries left behind |
    | "alone" | ask again when nothing else runs in this process: the object killed workers |
    | "duplicate" | the task that asks holds the claim already |
    | "held" | another task holds the claim, or this forward's generation is an old one |
    | "done" | the object has its final *outcome* |
    | "gone" | the message has no lease any more |
    | "parked" | the object was parked behind the open *breaker* |
    | "refused" | *claim* is granted only to refuse the object: it killed too many workers |

    *settle* asks for a settle: this was the last open object of its message.
    """

    kind: Granted
    claim: Claim | None = None
    progress: ObjectProgress = ObjectProgress()
    outcome: Outcome | None = None
    breaker: str = ""
    settle: bool = False


CLAIM_OBJECT = Script("claim_object")
RENEW_CLAIMS = Script("renew_claims")
NOTE_PROGRESS = Script("note_progress")


class Claims:
    """Answers whether a forward may work on an object of one source."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(
        self, message: str, index: int, generation: int, *, token: str, task_id: str,
        sinks: Sequence[str], alone: bool = False, host: str = "",
    ) -> ClaimAnswer:  # fmt: skip
        """Ask to work on one object of a lease; *alone* says nothing else runs in this process."""
        request = ClaimRequest(message, index, generation, token, task_id, alone)
        return self.claim_all([request], sinks=sinks, host=host)[0]

    def claim_all(
        self, requests: Sequence[ClaimRequest], *, sinks: Sequence[str], host: str = ""
    ) -> list[ClaimAnswer]:
        """Ask for a claim for each of *requests*, in one round trip."""
        numbers = self._store.numbers
        same: tuple[str | int, ...] = (
            numbers.claim * 1000, self._store.spans, numbers.starts_alone, numbers.starts_refused,
            int(numbers.breaker_probe * 1000), self._store.source, numbers.parked, host, *sinks,
        )  # fmt: skip
        answers = self._store.call_all(
            CLAIM_OBJECT,
            [
                (each.message, each.index, each.generation, each.token, each.task_id,
                 int(each.alone), *same)
                for each in requests
            ],
        )  # fmt: skip
        return [_read_answer(*each) for each in zip(requests, answers, strict=True)]

    def renew(self, claims: Sequence[Claim]) -> list[bool]:
        """Renew each claim; False for a claim that another task has overtaken."""
        if not claims:
            return []
        flat = [
            part
            for c in claims
            for part in (c.message, c.index, c.oid, c.token, c.task_id, c.marks)
        ]
        life = self._store.numbers.claim * 1000
        answers = self._store.call(RENEW_CLAIMS, life, self._store.spans, *flat)
        return [bool(answer) for answer in answers]

    def note_progress(self, claim: Claim, etag: str, state: Mapping[str, str | int]) -> None:
        """Note each sink's progress; raises Stale where another task has overtaken the claim."""
        flat = [part for item in state.items() for part in item]
        done = self._store.call(
            NOTE_PROGRESS, claim.message, claim.index, claim.oid, claim.token, claim.task_id,
            self._store.numbers.claim * 1000, claim.marks, self._store.spans, etag, *flat,
        )  # fmt: skip
        if not done:
            raise Stale(f"the claim on {claim.ref} was overtaken")


def _read_answer(request: ClaimRequest, answer: Sequence[Any]) -> ClaimAnswer:
    kind: Granted = answer[0].decode()
    if kind == "done":
        outcome = Outcome.parse(answer[1].decode())
        return ClaimAnswer("done", outcome=outcome, settle=answer[2:] == [1])
    if kind == "parked":
        return ClaimAnswer("parked", breaker=answer[1].decode())
    if kind not in ("go", "refused"):
        return ClaimAnswer(kind)
    ref = msgspec.json.decode(answer[1], type=ObjectRef)
    marks, claimed_at = (answer[3], answer[6]) if kind == "go" else (b"", 0)
    claim = Claim(
        request.message, request.index, request.token, request.task_id, answer[2], ref, marks,
        claimed_at,
    )  # fmt: skip
    if kind == "refused":
        return ClaimAnswer("refused", claim)
    return ClaimAnswer("go", claim, _decode_progress(answer[3], answer[4], answer[5]))


def _decode_progress(
    digests: bytes, flat: Sequence[bytes], vouching: Sequence[bytes]
) -> ObjectProgress:
    state = dict(zip((name.decode() for name in flat[::2]), flat[1::2], strict=True))

    def numbers(field: str) -> Mapping[str, int]:
        return {name[2:]: int(value) for name, value in state.items() if name.startswith(field)}

    def ordinals(field: str) -> Mapping[str, tuple[int, ...]]:
        return {
            name[2:]: msgspec.json.decode(value, type=tuple[int, ...])
            for name, value in state.items() if name.startswith(field)
        }  # fmt: skip

    return ObjectProgress(
        etag=state.get("e", b"").decode(),
        next=numbers("p:"),
        refused_before=ordinals("j:"),
        resend=ordinals("l:"),
        rejected_alone=ordinals("a:"),
        counted="n" in state,
        refused_counted=numbers("c:"),
        accepting_sinks=tuple(numbers("o:")),
        delivered_digests=digests,
        sinks_accepting_others=tuple(name.decode() for name in vouching),
    )
