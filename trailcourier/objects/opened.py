"""An object whose size and etag are known and whose bytes are still to come."""

import time
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError
from botocore.response import StreamingBody
from obstore.exceptions import BaseError
from urllib3.exceptions import HTTPError

from trailcourier import aws
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef

if TYPE_CHECKING:
    from obstore import GetResult

PIECE = 1 << 20  # bytes taken from obstore at once
SIP = 1 << 16  # and from boto3, which looks at the clock only between two
LOOKED_AT = 4096  # bytes at the beginning of a body


class Opened(Protocol):
    """*size* is what ``body`` will return, in bytes as stored; *etag* is without its quotes."""

    ref: ObjectRef
    etag: str
    size: int
    region: str

    def body(self) -> bytes:
        """Return all bytes, once; raises Fault if not all came.  They are held once only."""
        ...

    def close(self) -> None:
        """Let go of the connection; harmless when done."""
        ...


class OpenedByObstore:
    """The answer obstore got.

    obstore shows no request id.  A body that begins like a web page's, or like another service's
    error, is therefore taken from *again*, which opens the object by boto3.
    """

    def __init__(
        self, ref: ObjectRef, region: str, result: "GetResult", again: Callable[[], Opened]
    ) -> None:
        self.ref = ref
        self.region = region
        self.etag = (result.meta["e_tag"] or "").strip('"')
        self.size = result.meta["size"]
        self._result: GetResult | None = result
        self._again = again

    def body(self) -> bytes:
        if self._result is None:
            raise ValueError(f"{self.ref}: read after close")
        data = BytesIO()
        try:
            # a broken connection is taken up again where it broke, if the etag is still the same
            for piece in self._result.stream(min_chunk_size=PIECE):
                data.write(piece)
        except BaseError as error:
            said = str(error).partition("\n\n")[0]
            raise _cut(self, data.tell(), said) from error
        finally:
            self.close()
        whole = _whole(self, data)
        if not like_a_page(whole):
            return whole
        del whole, data
        return self._confirmed()

    def _confirmed(self) -> bytes:
        """Return the body as boto3 gets it, if it is of the same content."""
        opened = self._again()
        if opened.etag != self.etag:
            opened.close()
            raise _cut(self, 0, f"its etag is {opened.etag} now, and was {self.etag}")
        return opened.body()

    def close(self) -> None:
        self._result = None


class OpenedByBoto3:
    """The answer boto3 got.

    *host* gave it; *signed* says that it has a request id, so that its body is S3's whatever it is.
    """

    def __init__(
        self, ref: ObjectRef, region: str, *, etag: str, size: int, stream: StreamingBody,
        whole: float, host: str, signed: bool,
    ) -> None:  # fmt: skip
        self.ref = ref
        self.region = region
        self.etag = etag.strip('"')
        self.size = size
        self._stream = stream
        self._deadline = time.monotonic() + whole
        self._host = host
        self._signed = signed

    def body(self) -> bytes:
        data = BytesIO()
        try:
            while (piece := self._stream.read(SIP)) and time.monotonic() < self._deadline:
                data.write(piece)
        except (BotoCoreError, HTTPError, OSError) as error:
            raise _cut(self, data.tell(), str(error)) from error
        finally:
            self.close()
        body = _whole(self, data)
        if not self._signed and like_a_page(body):
            raise not_aws(self.ref, self._host, body)
        return body

    def close(self) -> None:
        self._stream.close()


def like_a_page(body: bytes) -> bool:
    """Say whether *body* begins as a web page does, or as JSON that is no log file.

    A log file is gzip, or JSON that begins with ``Records``.
    """
    beginning = body[:LOOKED_AT].lstrip(b"\xef\xbb\xbf \t\r\n")
    return beginning[:1] == b"<" or (beginning[:1] == b"{" and b'"Records"' not in beginning)


def not_aws(ref: ObjectRef, host: str, body: bytes = b"", kind: str = "") -> Fault:
    """The fault of an answer that is not S3's."""
    return Fault("not-aws", f"{ref}: {aws.foreign(host, 200, kind, body)}", where=ref.bucket)


def _whole(opened: Opened, data: BytesIO) -> bytes:
    """Return what *data* holds, which takes no copy, if it is all of *opened*."""
    if data.tell() != opened.size:
        raise _cut(opened, data.tell(), "and no more came")
    return data.getvalue()


def _cut(opened: Opened, came: int, why: str) -> Fault:
    ref = opened.ref
    return Fault("cut-short", f"{ref}: {came} of {opened.size} bytes: {why}", where=ref.bucket)
