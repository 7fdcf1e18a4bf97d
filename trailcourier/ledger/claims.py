"""Claims: which forward works on which object, and how far it is.

A claim names its deadline, a token and the task that holds it.  Every write of a forward carries
its token; one that has been overtaken is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from trailcourier.errors import Stale
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store, content_digest
from trailcourier.models import ObjectRef

Granted = Literal["go", "alone", "ours", "held", "done", "gone", "parked", "refused"]


class Claim(msgspec.Struct, frozen=True):
    """A forward's hold on one object: pass it back with every write.

    *known* are the object's marks when it was claimed: others since then are somebody else's.
    """

    message: str
    index: int
    token: str
    task_id: str
    oid: bytes
    ref: ObjectRef
    known: bytes = b""


class Standing(msgspec.Struct, frozen=True):
    """What earlier tries of an object left behind.

    *progress* is, per sink, the ordinal of the next input record, and holds for *etag* only;
    *rejected* is, per sink, the records it refused; *counted* says that the sums know them;
    *contents* are digests already delivered; *vouched* are the sinks that accepted other records
    since one of them rejected all it was offered of this object.
    """

    etag: str = ""
    progress: Mapping[str, int] = {}
    rejected: Mapping[str, tuple[int, ...]] = {}
    counted: bool = False
    contents: bytes = b""
    vouched: tuple[str, ...] = ()

    def delivered(self, etag: str) -> bool:
        """Whether the content with this etag was delivered before."""
        digest = content_digest(etag)
        held = (self.contents[at : at + 4] for at in range(0, len(self.contents), 4))
        return digest in held


class Answer(msgspec.Struct, frozen=True):
    """What the ledger says to a forward that wants to start; *outcome* where it is decided.

    *settle* as in Written: this was its message's last open object.
    """

    kind: Granted
    claim: Claim | None = None
    standing: Standing = Standing()
    outcome: str = ""
    settle: bool = False


CLAIM_OBJECT = Script("claim_object")
RENEW_CLAIMS = Script("renew_claims")
NOTE_PROGRESS = Script("note_progress")


class Claims:
    """The claims of one source's objects."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(
        self, message: str, index: int, generation: int, *, token: str, task_id: str,
        sinks: Sequence[str], alone: bool = False,
    ) -> Answer:  # fmt: skip
        """Ask to work on one object of a lease; *alone* says that nothing runs beside it."""
        numbers = self._store.numbers
        answer = self._store.call(
            CLAIM_OBJECT, message, index, generation, token, task_id, int(alone),
            numbers.claim * 1000, self._store.spans, numbers.starts_alone, numbers.starts_refused,
            int(numbers.breaker_probe * 1000), self._store.source, numbers.parked, *sinks,
        )  # fmt: skip
        kind: Granted = answer[0].decode()
        if kind == "done":
            return Answer("done", outcome=answer[1].decode(), settle=answer[2:] == [1])
        if kind == "parked":
            return Answer("parked", outcome=answer[1].decode())
        if kind not in ("go", "refused"):
            return Answer(kind)
        ref = msgspec.json.decode(answer[1], type=ObjectRef)
        known = answer[3] if kind == "go" else b""
        claim = Claim(message, index, token, task_id, answer[2], ref, known)
        if kind == "refused":
            return Answer("refused", claim)
        return Answer("go", claim, _standing(answer[3], answer[4], answer[5]))

    def renew(self, claims: Sequence[Claim]) -> list[bool]:
        """Prolong each claim; False for one that was overtaken."""
        if not claims:
            return []
        flat = [
            part
            for c in claims
            for part in (c.message, c.index, c.oid, c.token, c.task_id, c.known)
        ]
        life = self._store.numbers.claim * 1000
        answers = self._store.call(RENEW_CLAIMS, life, self._store.spans, *flat)
        return [bool(answer) for answer in answers]

    def progress(self, claim: Claim, etag: str, state: Mapping[str, str | int]) -> None:
        """Note how far each sink is; raises Stale where the claim was overtaken."""
        flat = [part for item in state.items() for part in item]
        done = self._store.call(
            NOTE_PROGRESS, claim.message, claim.index, claim.oid, claim.token, claim.task_id,
            self._store.numbers.claim * 1000, claim.known, self._store.spans, etag, *flat,
        )  # fmt: skip
        if not done:
            raise Stale(f"the claim on {claim.ref} was overtaken")


def _standing(contents: bytes, flat: Sequence[bytes], vouched: Sequence[bytes]) -> Standing:
    state = dict(zip((name.decode() for name in flat[::2]), flat[1::2], strict=True))
    return Standing(
        etag=state.get("e", b"").decode(),
        progress={name[2:]: int(v) for name, v in state.items() if name.startswith("p:")},
        rejected={
            name[2:]: tuple(msgspec.json.decode(v)) for name, v in state.items() if name[:2] == "j:"
        },
        counted="n" in state,
        contents=contents,
        vouched=tuple(name.decode() for name in vouched),
    )
