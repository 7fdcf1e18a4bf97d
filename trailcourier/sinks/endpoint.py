"""An HTTP endpoint that takes records: one POST, and what its answer means.

Goes through the proxy, and trusts the CA bundle, that the environment names, as boto3 does.  What
it is sent to may hold a token, so no URL of it is ever told beyond its host.
"""

import os
import ssl
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3 import exceptions
from urllib3.util import Retry, Timeout, make_headers

from trailcourier.egress import Egress
from trailcourier.errors import Fault, Rejected
from trailcourier.printable import printable
from trailcourier.sinks import trust

CONTENT = frozenset({400, 413, 422})  # what was sent is at fault, not who sent it or when
REASONS: Mapping[int, str] = {
    401: "sink-credentials",
    403: "sink-credentials",
    407: "sink-unreachable",  # the proxy between
    408: "sink-busy",
    429: "sink-busy",
}
CONNECTIONS = 64  # more than a process has threads; idle ones cost nothing
SAID = 2048  # bytes read of an answer that is not the one wanted
TOLD = 200  # characters of it that are told
SECRET = 8  # characters; a part of a URL as long as this may be a token

_FAILURES = (exceptions.HTTPError, HTTPException, OSError)


class Endpoint:
    """Used by all threads of a process.

    *accepts* is the one status that says that a body was accepted: a login page that answers in
    the endpoint's place says 200 as well.  *reasons* are those of further statuses.
    """

    def __init__(
        self,
        *,
        sink: str,
        egress: Egress,
        accepts: int,
        connect: float,
        timeout: float,
        reasons: Mapping[int, str] = {},
    ) -> None:
        self._sink = sink
        self._egress = egress
        self._accepts = accepts
        self._reasons = {**REASONS, **reasons}
        self._timeout = Timeout(connect=connect, read=timeout)
        self._trusted = trust.context(egress.ca_bundle)
        self._pools: dict[tuple[int, str | None], urllib3.PoolManager] = {}

    def post(self, url: str, body: bytes, *, kind: str) -> None:
        """Send *body*, of content type *kind*, and return once it is accepted.

        Raises Rejected if it is at fault itself, else Fault.
        """
        try:
            with self._pool(url).request(
                "POST",
                url,
                body=body,
                headers={"Content-Type": kind, "User-Agent": "trailcourier"},
                timeout=self._timeout,
                retries=False,
                redirect=False,  # it would take the body, and the token, somewhere else
                preload_content=False,
            ) as answer:
                said = answer.read(SAID)
                if answer.status == self._accepts:
                    return
        except _FAILURES as error:
            detail = self._told(url, self._words(error))
            raise Fault("sink-unreachable", detail, where=self._sink) from None  # it may quote url
        raise self._fault(url, answer, said)

    def close(self) -> None:
        """Let go of idle connections."""
        while self._pools:
            self._pools.popitem()[1].clear()

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = self._egress.proxy(url)
        key = os.getpid(), proxy  # a forked child makes connections of its own
        if key not in self._pools:
            self._pools.setdefault(key, self._made(proxy))
        return self._pools[key]

    def _made(self, proxy: str | None) -> urllib3.PoolManager:
        if proxy is None:
            return urllib3.PoolManager(maxsize=CONNECTIONS, ssl_context=self._trusted)
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        return urllib3.ProxyManager(
            f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            proxy_headers=make_headers(proxy_basic_auth=user) if parts.username else None,
            maxsize=CONNECTIONS,
            ssl_context=self._trusted,
            proxy_ssl_context=self._trusted,
        )

    def _fault(self, url: str, answer: urllib3.BaseHTTPResponse, said: bytes) -> Fault:
        status = answer.status
        words = f"answered {status}, where {self._accepts} says accepted"
        if said:
            words += f': "{said.decode(errors="replace")[:TOLD]}"'
        detail = self._told(url, words)
        if status in CONTENT:
            return Rejected(detail, where=self._sink)
        reason = self._reasons.get(status, "sink-error")
        return Fault(reason, detail, where=self._sink, after=_after(answer))

    def _told(self, url: str, words: str) -> str:
        """Say *words* of the endpoint, with nothing of its URL in them but the host."""
        for secret in sorted(_secrets(url), key=len, reverse=True):
            words = words.replace(secret, "***")
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}: {printable(words)}"

    def _words(self, error: BaseException) -> str:
        match error:
            case exceptions.ReadTimeoutError():
                return f"no answer within {self._timeout.read_timeout:g} s"
            case exceptions.NewConnectionError():  # to urllib3 a kind of the next
                return _cause(error)
            case exceptions.ConnectTimeoutError():
                return f"no connection within {self._timeout.connect_timeout:g} s"
            case exceptions.SSLError():
                return f"{_cause(error)}; AWS_CA_BUNDLE names other certificates to trust"
            case exceptions.ProxyError():
                return f"the proxy: {_cause(error)}"
            case _:
                return _cause(error)


def _cause(error: BaseException) -> str:
    """Return the words of what was met first: those around it tell of objects in memory."""
    inner = next((each for each in error.args if isinstance(each, BaseException)), error.__cause__)
    if inner is not None:
        return _cause(inner)
    if isinstance(error, ssl.SSLError):
        return trust.words(error)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _secrets(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    yield from (each for each in (parts.path, parts.query, parts.password) if each and each != "/")
    yield from (each for each in parts.path.split("/") if len(each) >= SECRET)


def _after(answer: urllib3.BaseHTTPResponse) -> float:
    """Return the seconds that *answer* asks to be left alone."""
    try:
        return float(Retry().get_retry_after(answer) or 0)
    except (exceptions.InvalidHeader, OverflowError, ValueError):
        return 0
