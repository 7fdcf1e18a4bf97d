"""An object whose size and etag are known and whose bytes are still to come."""

import time
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError
from botocore.response import StreamingBody
from obstore.exceptions import BaseError
from urllib3.exceptions import HTTPError

from trailcourier.errors import Fault
from trailcourier.models import ObjectRef

if TYPE_CHECKING:
    from obstore import GetResult

PIECE = 1 << 20  # bytes read at once


class Opened(Protocol):
    """*size* is what ``body`` will return, in bytes as stored; *etag* is without its quotes."""

    ref: ObjectRef
    etag: str
    size: int
    region: str

    def body(self) -> memoryview:
        """Return all bytes, once; raises Fault if not all came."""
        ...

    def close(self) -> None:
        """Let go of the connection; harmless when done."""
        ...


class OpenedByObstore:
    """The answer obstore got; the bytes it holds are the only copy."""

    def __init__(self, ref: ObjectRef, region: str, result: "GetResult") -> None:
        self.ref = ref
        self.region = region
        self.etag = (result.meta["e_tag"] or "").strip('"')
        self.size = result.meta["size"]
        self._result: GetResult | None = result

    def body(self) -> memoryview:
        if self._result is None:
            raise ValueError(f"{self.ref}: read after close")
        try:
            # a broken connection is taken up again where it broke, if the etag is still the same
            data = memoryview(self._result.bytes())
        except BaseError as error:
            said = str(error).partition("\n\n")[0]
            raise _cut(self.ref, f"of {self.size} bytes: {said}") from error
        finally:
            self.close()
        if len(data) != self.size:
            raise _cut(self.ref, f"{len(data)} of {self.size} bytes")
        return data

    def close(self) -> None:
        self._result = None


class OpenedByBoto3:
    """The answer boto3 got."""

    def __init__(
        self, ref: ObjectRef, region: str, *, etag: str, size: int, stream: StreamingBody,
        whole: float,
    ) -> None:  # fmt: skip
        self.ref = ref
        self.region = region
        self.etag = etag.strip('"')
        self.size = size
        self._stream = stream
        self._deadline = time.monotonic() + whole

    def body(self) -> memoryview:
        data = memoryview(bytearray(self.size))
        filled = 0
        try:
            while filled < self.size and (piece := self._stream.read(PIECE)):
                data[filled : filled + len(piece)] = piece
                filled += len(piece)
                if time.monotonic() > self._deadline:
                    break
        except (BotoCoreError, HTTPError, OSError) as error:
            raise _cut(self.ref, f"{filled} of {self.size} bytes: {error}") from error
        finally:
            self.close()
        if filled != self.size:
            raise _cut(self.ref, f"{filled} of {self.size} bytes")
        return data

    def close(self) -> None:
        self._stream.close()


def _cut(ref: ObjectRef, what: str) -> Fault:
    return Fault("cut-short", f"{ref}: {what}", where=ref.bucket)
