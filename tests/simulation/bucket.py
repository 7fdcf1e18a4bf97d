"""Simulated buckets: versions of objects, who may read them, and what one process sees."""

import dataclasses
from collections.abc import Callable

from tests.simulation.points import Points, Struck
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef

CODES = {"cut": "network"}


@dataclasses.dataclass(frozen=True)
class Content:
    """One version of an object: its bytes, and what a correct reader makes of them.

    *fault* is the reason for which it can never be carried, empty for a sound one.  *claims* is the
    size that a GET tells beyond that of the body, so that a small one takes much memory.
    """

    etag: str
    body: bytes
    records: tuple[bytes, ...]
    fault: str = ""
    kills: bool = False  # the process that reads it dies
    claims: int = 0
    raises: bool = False  # reading it meets an error that nobody foresaw


class Buckets:
    """Every bucket, and what is wrong with it just now."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], list[Content]] = {}
        self.trouble: dict[str, str] = {}  # by bucket or "bucket/prefix": a reason
        self.opened: Callable[[ObjectRef], None] = lambda ref: None  # called before each GET

    def put(self, bucket: str, key: str, content: Content) -> None:
        self.objects.setdefault((bucket, key), []).append(content)

    def wrong(self, ref: ObjectRef) -> str:
        """Why *ref* cannot be read just now, if so."""
        if reason := self.trouble.get(ref.bucket):
            return reason
        for where, reason in self.trouble.items():
            if f"{ref.bucket}/{ref.key}".startswith(f"{where}/"):
                return reason
        return ""

    def get(self, ref: ObjectRef) -> Content:
        """The content that a GET returns; raises Fault."""
        self.opened(ref)
        if reason := self.wrong(ref):
            raise Fault(reason, f"{ref}: simulated", where=ref.bucket)
        versions = self.objects.get((ref.bucket, ref.key))
        if not versions:
            raise Fault("no-such-key", f"{ref}: not there", where=ref.bucket)
        if ref.version:
            return versions[int(ref.version)]
        newest = versions[-1]
        if ref.etag and ref.etag != newest.etag:
            raise Fault("changed", f"{ref}: etag {newest.etag}", where=ref.bucket)
        return newest


class SimOpened:
    """An object whose body is still to come."""

    def __init__(self, ref: ObjectRef, content: Content, reader: "SimReader") -> None:
        self.ref = ref
        self.etag = content.etag
        self.size = len(content.body) + content.claims
        self.region = "us-east-1"
        self._content = content
        self._reader = reader

    def body(self) -> bytes:
        return self._reader.read(self.ref, self._content)

    def close(self) -> None:
        pass


class SimReader:
    """What the line has instead of ``objects.Reader``."""

    def __init__(
        self,
        buckets: Buckets,
        points: Points,
        kill: Callable[[], None],
        opens: Callable[[str], None],
        reads: Callable[[str], None],
    ) -> None:
        """*kill* ends the process; *opens* and *reads* get the name before the call."""
        self._buckets = buckets
        self._opens = opens
        self._reads = reads
        self._points = points
        self._kill = kill

    def uses_source_credentials(self, bucket: str) -> bool:
        return True

    def open(self, ref: ObjectRef) -> SimOpened:
        self._opens(str(ref))
        content = self._call("open", ref, lambda: self._buckets.get(ref))
        return SimOpened(ref, content, self)

    def read(self, ref: ObjectRef, content: Content) -> bytes:
        self._reads(str(ref))
        body = self._call("body", ref, lambda: content.body)
        if content.kills:
            self._kill()
        if content.raises:
            raise RuntimeError("simulated: nobody foresaw this object")
        return body

    def _call(self, name, ref, act):
        try:
            return self._points.call(f"bucket.{name}", act, told=str(ref))
        except Struck as struck:
            reason = CODES.get(struck.kind, struck.kind)
            raise Fault(reason, f"{ref}: simulated {struck.kind}", where=ref.bucket) from None
