"""An S3 object whose size and etag are known and whose body is not read yet."""

import time
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError
from botocore.response import StreamingBody
from obstore.exceptions import BaseError
from urllib3.exceptions import HTTPError

from trailcourier.aws import responses
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef

if TYPE_CHECKING:
    from obstore import GetResult

OBSTORE_CHUNK = 1 << 20  # bytes per read from obstore
BOTO3_CHUNK = 1 << 16  # bytes per read from boto3; the deadline is checked between two reads
INSPECTED = 4096  # bytes at the beginning of a body


class OpenedObject(Protocol):
    """An object with an open response.

    *size* is the length of ``body`` in bytes, as stored; *etag* is without quotes.
    """

    ref: ObjectRef
    etag: str
    size: int
    region: str

    def body(self) -> bytes:
        """Return all bytes, as one copy; call it once.  Raises Fault if some are missing."""
        ...

    def close(self) -> None:
        """Close the connection; may be called again, and after ``body``."""
        ...


class OpenedByObstore:
    """An object opened by obstore.

    obstore does not expose the request id.  So if a body begins like a web page or like an error
    of another service, *open_by_boto3* opens the object again and its body is returned instead.
    """

    def __init__(
        self,
        ref: ObjectRef,
        region: str,
        result: "GetResult",
        open_by_boto3: Callable[[], OpenedObject],
    ) -> None:
        self.ref = ref
        self.region = region
        self.etag = (result.meta["e_tag"] or "").strip('"')
        self.size = result.meta["size"]
        self._result: GetResult | None = result
        self._open_by_boto3 = open_by_boto3

    def body(self) -> bytes:
        if self._result is None:
            raise ValueError(f"{self.ref}: body() after close()")
        data = BytesIO()
        try:
            # obstore resumes a broken connection where it broke, if the etag is still the same
            for chunk in self._result.stream(min_chunk_size=OBSTORE_CHUNK):
                data.write(chunk)
        except BaseError as error:
            message = str(error).partition("\n\n")[0]
            raise _incomplete(self, data.tell(), message) from error
        finally:
            self.close()
        body = _complete(self, data)
        if not looks_foreign(body):
            return body
        del body, data
        return self._read_by_boto3()

    def _read_by_boto3(self) -> bytes:
        """Return the body as boto3 reads it; raises Fault if its etag differs."""
        opened = self._open_by_boto3()
        if opened.etag != self.etag:
            opened.close()
            raise _incomplete(self, 0, f"its etag changed from {self.etag} to {opened.etag}")
        return opened.body()

    def close(self) -> None:
        self._result = None


class OpenedByBoto3:
    """An object opened by boto3.

    *host* sent the response; *from_s3* says that it has S3's request id, so that its body is S3's
    whatever it contains.  *timeout* bounds the reading of the body, in seconds.
    """

    def __init__(
        self, ref: ObjectRef, region: str, *, etag: str, size: int, stream: StreamingBody,
        timeout: float, host: str, from_s3: bool,
    ) -> None:  # fmt: skip
        self.ref = ref
        self.region = region
        self.etag = etag.strip('"')
        self.size = size
        self._stream = stream
        self._deadline = time.monotonic() + timeout
        self._host = host
        self._from_s3 = from_s3

    def body(self) -> bytes:
        data = BytesIO()
        try:
            while (chunk := self._stream.read(BOTO3_CHUNK)) and time.monotonic() < self._deadline:
                data.write(chunk)
        except (BotoCoreError, HTTPError, OSError) as error:
            raise _incomplete(self, data.tell(), str(error)) from error
        finally:
            self.close()
        body = _complete(self, data)
        if not self._from_s3 and looks_foreign(body):
            raise foreign_answer(self.ref, self._host, body)
        return body

    def close(self) -> None:
        self._stream.close()


def looks_foreign(body: bytes) -> bool:
    """Return whether *body* begins like a web page, or like JSON that is not a log file.

    A log file is gzip, or JSON that begins with ``Records``.
    """
    beginning = body[:INSPECTED].lstrip(b"\xef\xbb\xbf \t\r\n")
    return beginning[:1] == b"<" or (beginning[:1] == b"{" and b'"Records"' not in beginning)


def foreign_answer(ref: ObjectRef, host: str, body: bytes = b"", content_type: str = "") -> Fault:
    """Return the Fault for a response that is not from S3."""
    message = responses.describe_foreign(host, 200, content_type, body)
    return Fault("not-aws", f"{ref}: {message}", where=ref.bucket)


def _complete(opened: OpenedObject, data: BytesIO) -> bytes:
    """Return the bytes in *data*, without a copy; raises Fault if some of *opened* are missing."""
    if data.tell() != opened.size:
        raise _incomplete(opened, data.tell(), "the connection ended")
    return data.getvalue()


def _incomplete(opened: OpenedObject, received: int, why: str) -> Fault:
    ref = opened.ref
    return Fault(
        "cut-short", f"{ref}: received {received} of {opened.size} bytes: {why}", where=ref.bucket
    )
