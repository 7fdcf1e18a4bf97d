"""Exact answers of AWS, as its wire protocols carry them, and sessions to ask with."""

import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import boto3

from tests.support.http_stub import Reply, Request, Server
from trailcourier.aws import sessions
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.objects import BucketAccess, Reader
from trailcourier.secret import Secret

_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/")
_DATED = ("Last-Modified", "Tue, 24 Nov 2026 00:00:00 GMT")


class Recording:
    """A server that keeps what it was asked."""

    def __init__(self, answer: Callable[[Request], Any], **more: Any) -> None:
        self.requests: list[Request] = []
        self._answer = answer
        self._server = Server(self._recorded, **more)

    def _recorded(self, request: Request) -> Any:
        self.requests.append(request)
        return self._answer(request)

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()


def s3_object(body: bytes, etag: str = "0123", **more: Any) -> Reply:
    return Reply(200, body, (("ETag", f'"{etag}"'), _DATED), **more)


def s3_error(
    status: int, code: str, *headers: tuple[str, str], inside: str = "", words: str = ""
) -> Reply:
    fields = f"<Code>{code}</Code><Message>{words or f'said {code}'}</Message>{inside}"
    body = f'<?xml version="1.0"?><Error>{fields}</Error>'
    return Reply(status, body.encode(), (("Content-Type", "application/xml"), *headers))


def sqs_error(status: int, older: str, modelled: str, message: str = "said so") -> Reply:
    """An error of SQS: its older name goes in a header, where *older* is not empty."""
    body = json.dumps({"__type": f"com.amazonaws.sqs#{modelled}", "message": message})
    older_name = (("x-amzn-query-error", f"{older};Sender"),) if older else ()
    return Reply(
        status, body.encode(), (("Content-Type", "application/x-amz-json-1.0"), *older_name)
    )


def sts_keys(key: str, *, lives: float = 3600) -> Reply:
    ends = datetime.now(UTC) + timedelta(seconds=lives)
    body = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId>
      <SecretAccessKey>made</SecretAccessKey><SessionToken>token-{key}</SessionToken>
      <Expiration>{ends:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials></AssumeRoleResult>
      </AssumeRoleResponse>"""
    return Reply(200, body.encode(), (("Content-Type", "text/xml"),))


def signer(request: Request) -> tuple[str, str]:
    """The access key and the region a request was signed with."""
    found = _SCOPE.search(request.headers.get("authorization", ""))
    return (found[1], found[2]) if found else ("", "")


def named(text: str) -> Secret:
    return Secret.public(text)


def keys(key: str = "AKIAEXAMPLE") -> Credentials:
    return Credentials(
        kind="iam-user", access_key_id=named(key), secret_access_key=named("example")
    )


def session(
    credentials: Credentials | None = None, network: Network | None = None
) -> boto3.Session:
    return sessions.make_session(
        credentials or keys(),
        source="prod",
        sts_region="eu-west-1",
        network=network or Network(),
    )


def reader(
    url: str, *, most: int = 1 << 20, notices: list[Any] | None = None, **more: Any
) -> Reader:
    """A reader of whatever answers at *url*; *notices* gets what it tells."""
    network = more.pop("network", None) or Network(endpoint_url=url)
    credentials = more.pop("credentials", None)
    reach = BucketAccess(
        home="eu-west-1", network=network, **({"bucket_region": "eu-west-1"} | more)
    )
    notify = (
        (lambda event, fields: notices.append((event, fields))) if notices is not None else None
    )
    known = {} if notify is None else {"notify": notify}
    return Reader(session(credentials, network), reach, max_compressed=most, **known)


def together(count: int, do: Callable[[int], Any]) -> list[Any]:
    """What *do* returns or raises in each of *count* threads that start at once."""
    results: list[Any] = [None] * count
    gate = threading.Barrier(count)

    def run(at: int) -> None:
        gate.wait(10)
        try:
            results[at] = do(at)
        except Exception as error:  # noqa: BLE001 - given to the test as it is
            results[at] = error

    threads = [threading.Thread(target=run, args=(at,)) for at in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


class Torn:
    """A server that sends *part* of a body of *length* bytes, then does as *then* says.

    ``reset`` the connection, ``stall``, or ``drip``: send *part* again and again, slowly.
    """

    def __init__(self, part: bytes, length: int, then: str) -> None:
        head = f'HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nETag: "0123"\r\n\r\n'
        self._head, self._part, self._then = head.encode(), part, then
        self._over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            if not connection.recv(65536):  # ours, to end it
                connection.close()
                return
            self._held.append(connection)
            connection.sendall(self._head + self._part)
            if self._then == "drip":
                self._drip(connection)
            elif self._then == "reset":
                time.sleep(0.1)  # a reset overtakes what the client has not taken yet
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.close()

    def _drip(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client gave up
            while not self._over.wait(0.1):
                connection.sendall(self._part)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with socket.create_connection(self._listening.getsockname()) as last:
            last.shutdown(socket.SHUT_WR)
            self._thread.join(10)
        for connection in (*self._held, self._listening):
            connection.close()
