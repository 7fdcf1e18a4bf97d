"""An S3 stub for what moto does not do: slow, cut and refused reads, and buckets of a region.

Path style only.  In a thread: ``with S3Stub() as stub``.  As a process:
``python -m tests.support.s3_stub DIRECTORY`` serves ``DIRECTORY/bucket/key`` and prints its address
as JSON.
"""

import argparse
import email.utils
import hashlib
import json
import re
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from tests.support.http_stub import Fault, Faults, Reply, Request, Server, spoil

_XML = ("Content-Type", "application/xml")
_ID = ("x-amz-request-id", "EXAMPLE")
_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/s3/")
_DATE = email.utils.formatdate(0, usegmt=True)

WORDS = {
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "AccessDenied": (403, "Access Denied"),
    "SlowDown": (503, "Please reduce your request rate."),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "InvalidObjectState": (
        403,
        "The operation is not valid for the object's storage class",
    ),
    "PermanentRedirect": (
        301,
        "The bucket you are attempting to access must be addressed using the specified endpoint.",
    ),
    "RequestTimeTooSkewed": (403, "The difference between the request time and now is too large."),
    "ExpiredToken": (400, "The provided token has expired."),
    "InvalidAccessKeyId": (403, "The AWS Access Key Id you provided does not exist."),
}


class Entry(NamedTuple):
    method: str
    bucket: str
    key: str
    status: int  # 0 if there was no answer


class S3Stub:
    """Objects in memory, and below *directory* if one is given; callable from any thread."""

    def __init__(self, directory: Path | None = None, *, port: int = 0) -> None:
        self.faults = Faults()
        self.regions: dict[str, str] = {}  # of buckets that must be asked for in their region
        self.log: list[Entry] = []
        self.refuses: Callable[[Request], str] = lambda request: ""  # a code of WORDS
        self._objects: dict[tuple[str, str], bytes] = {}
        self._buckets: set[str] = set()
        self._directory = directory
        self.server = Server(self._answer, port=port)

    @property
    def url(self) -> str:
        return self.server.url

    def put(self, bucket: str, key: str, body: bytes) -> str:
        """Keep an object; give its ETag without quotes."""
        self._buckets.add(bucket)
        self._objects[bucket, key] = body
        return _etag(body)

    def remove(self, bucket: str, key: str) -> None:
        self._objects.pop((bucket, key), None)

    def fault(self, key: str, *, code: str = "", **how: Any) -> Fault:
        """Let requests for *key* (or ``*``) go wrong; see ``http_stub.Fault``."""
        status, words = WORDS.get(code, (400, code))
        return self.faults.add(Fault(key, code=code, **{"status": status, "message": words, **how}))

    def heal(self) -> None:
        """Take all faults away."""
        self.faults.clear()

    def reads(self) -> Counter[str]:
        """How often each key was asked for with GET."""
        return Counter(entry.key for entry in self.log if entry.method == "GET" and entry.key)

    def close(self) -> None:
        self.server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # requests, in the server's thread

    def _answer(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        path, _, query = request.target.partition("?")
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        reply = self._reply(request, bucket, key, query)
        fault = self.faults.take(key)
        if fault is not None:
            reply = _error(fault.code, fault.status, fault.message) if fault.code else reply
            reply = reply._replace(headers=reply.headers + fault.headers)
        lost = fault is not None and (fault.hang or fault.reset)
        self.log.append(Entry(request.method, bucket, key, 0 if lost else reply.status))
        return reply if fault is None else spoil(fault, reply)

    def _reply(self, request: Request, bucket: str, key: str, query: str) -> Reply:
        if wrong := self._refused(request) or self._elsewhere(request, bucket):
            return wrong
        if not self._has(bucket):
            return _error("NoSuchBucket", *WORDS["NoSuchBucket"])
        if request.method == "PUT":
            etag = self.put(bucket, key, request.body)
            return Reply(200, b"", (("ETag", f'"{etag}"'), _ID))
        if not key:
            region = ("x-amz-bucket-region", self.regions.get(bucket, "us-east-1"))
            listed = b"" if request.method == "HEAD" else self._listing(bucket, query)
            return Reply(200, listed, (_XML, region, _ID))
        body = self._read(bucket, key)
        if body is None:
            return _error("NoSuchKey", *WORDS["NoSuchKey"])
        return _part(body, request.headers.get("range", ""))

    def _refused(self, request: Request) -> Reply | None:
        code = self.refuses(request)
        return _error(code, *WORDS[code]) if code else None

    def _elsewhere(self, request: Request, bucket: str) -> Reply | None:
        home = self.regions.get(bucket)
        scope = _SCOPE.search(request.headers.get("authorization", ""))
        if home is None or scope is None or scope[1] == home:
            return None
        extra = f"<Endpoint>{bucket}.s3.{home}.amazonaws.com</Endpoint><Bucket>{bucket}</Bucket>"
        reply = _error("PermanentRedirect", *WORDS["PermanentRedirect"], extra=extra)
        return reply._replace(headers=(*reply.headers, ("x-amz-bucket-region", home)))

    def _has(self, bucket: str) -> bool:
        below = self._directory is not None and (self._directory / bucket).is_dir()
        return bucket in self._buckets or bucket in self.regions or below

    def _read(self, bucket: str, key: str) -> bytes | None:
        if (bucket, key) in self._objects:
            return self._objects[bucket, key]
        if self._directory is not None and (path := self._directory / bucket / key).is_file():
            return path.read_bytes()
        return None

    def _listing(self, bucket: str, query: str) -> bytes:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        prefix, after = asked.get("prefix", ""), asked.get("start-after", "")
        keys = sorted(k for b, k in self._objects if b == bucket and k.startswith(prefix))
        keys = [key for key in keys if key > after][: int(asked.get("max-keys", 1000))]
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self._objects[bucket, key])}</Size>"
            f'<ETag>"{_etag(self._objects[bucket, key])}"</ETag>'
            "<LastModified>1970-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in keys
        )
        head = f"<Name>{bucket}</Name><KeyCount>{len(keys)}</KeyCount>"
        more = "<IsTruncated>false</IsTruncated>"
        return f"<ListBucketResult>{head}{more}{rows}</ListBucketResult>".encode()


def _etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _part(body: bytes, wanted: str) -> Reply:
    headers = (
        _ID,
        ("ETag", f'"{_etag(body)}"'),
        ("Last-Modified", _DATE),
        ("Content-Type", "application/json"),
        ("Accept-Ranges", "bytes"),
    )
    if not wanted.startswith("bytes="):
        return Reply(200, body, headers)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    end = min(int(last) + 1 if last else len(body), len(body))
    if int(first) >= len(body):
        return _error("InvalidRange", 416, "The requested range is not satisfiable")
    span = ("Content-Range", f"bytes {first}-{end - 1}/{len(body)}")
    return Reply(206, body[int(first) : end], (*headers, span))


def _error(code: str, status: int, words: str, *, extra: str = "") -> Reply:
    fields = f"<Code>{code}</Code><Message>{escape(words)}</Message>{extra}"
    ids = "<RequestId>EXAMPLE</RequestId><HostId>EXAMPLE</HostId>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{fields}{ids}</Error>'
    return Reply(status, body.encode(), (_XML, _ID))


def main() -> None:
    """Serve a directory until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int, default=0)
    asked = parser.parse_args()
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before the server's thread starts
    with S3Stub(asked.directory, port=asked.port) as stub:
        print(json.dumps({"url": stub.url}), flush=True)
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
