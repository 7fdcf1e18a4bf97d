"""An HTTP endpoint that accepts records: one POST, and what its response means.

Uses the proxy and the CA bundle that the environment names, as boto3 does.  A URL may hold a token,
so errors and logs show its host alone.
"""

import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import urllib3
from urllib3 import exceptions
from urllib3.util import Retry, Timeout

from trailcourier.aws import connections, tls_contexts
from trailcourier.aws.connections import describe_error
from trailcourier.aws.network import Network
from trailcourier.errors import Fault, Rejected
from trailcourier.reason_names import ReasonName
from trailcourier.text import printable

CONTENT_STATUSES = frozenset({400, 413, 422})  # the content is at fault, not who sent it or when
REASONS: Mapping[int, ReasonName] = {
    401: "sink-credentials",
    403: "sink-credentials",
    407: "sink-unreachable",  # the proxy wants credentials
    408: "sink-busy",
    429: "sink-busy",
}
MAX_CONNECTIONS = 64  # more than a process has threads; idle ones cost nothing
BODY_READ = 2048  # bytes read of a response's body
BODY_SHOWN = 200  # characters of it that an error shows
TOKEN_LENGTH = 8  # characters; a part of a URL that has as many may be a token


class Endpoint:
    """Posts records to an HTTP endpoint; all threads of a process use it.

    *accepted_status* is the only status that means that the body was accepted: a login page that
    answers in the endpoint's place has status 200 too.  *reasons* maps further statuses to reasons.
    """

    def __init__(
        self,
        *,
        sink: str,
        network: Network,
        accepted_status: int,
        connect: float,
        timeout: float,
        reasons: Mapping[int, ReasonName] = {},
    ) -> None:
        self._sink = sink
        self._network = network
        self._accepted_status = accepted_status
        self._reasons = {**REASONS, **reasons}
        self._timeout = Timeout(connect=connect, read=timeout)
        self._tls_context = tls_contexts.for_sink(network.ca_bundle)
        self._pools: dict[tuple[int, str | None], urllib3.PoolManager] = {}

    def post(self, url: str, body: bytes, *, content_type: str) -> None:
        """Post *body*, whose content type is *content_type*, and return once it is accepted.

        Raises Rejected if the body is at fault, else Fault.
        """
        try:
            with self._pool(url).request(
                "POST",
                url,
                body=body,
                headers={"Content-Type": content_type, "User-Agent": "trailcourier"},
                timeout=self._timeout,
                retries=False,
                redirect=False,  # it would send the body and the token to another host
                preload_content=False,
            ) as response:
                response_body = response.read(BODY_READ)
                if response.status == self._accepted_status:
                    return
        except connections.ERRORS as error:
            detail = self._without_secrets(url, self._describe(error))
            # the error may quote the URL, so it is not chained
            raise Fault("sink-unreachable", detail, where=self._sink) from None
        raise self._fault(url, response, response_body)

    def close(self) -> None:
        """Close idle connections."""
        while self._pools:
            self._pools.popitem()[1].clear()

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = self._network.proxy(url)
        key = os.getpid(), proxy  # a forked child opens its own connections
        if key not in self._pools:
            self._pools.setdefault(key, self._make_pool(proxy))
        return self._pools[key]

    def _make_pool(self, proxy: str | None) -> urllib3.PoolManager:
        if proxy is None:
            return urllib3.PoolManager(maxsize=MAX_CONNECTIONS, ssl_context=self._tls_context)
        parts = urlsplit(proxy)
        return urllib3.ProxyManager(
            f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            proxy_headers=connections.proxy_headers(parts),
            maxsize=MAX_CONNECTIONS,
            ssl_context=self._tls_context,
            proxy_ssl_context=self._tls_context,
        )

    def _fault(self, url: str, response: urllib3.BaseHTTPResponse, body: bytes) -> Fault:
        status = response.status
        text = f"it answered {status} instead of {self._accepted_status}"
        if body:
            text += f': "{body.decode(errors="replace")[:BODY_SHOWN]}"'
        detail = self._without_secrets(url, text)
        if status in CONTENT_STATUSES:
            return Rejected(detail, where=self._sink)
        reason = self._reasons.get(status, "sink-error")
        return Fault(reason, detail, where=self._sink, after=_retry_after(response))

    def _without_secrets(self, url: str, text: str) -> str:
        """Return *text* after the endpoint's host, without any other part of its URL."""
        for secret in sorted(_secrets(url), key=len, reverse=True):
            text = text.replace(secret, "***")
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}: {printable(text)}"

    def _describe(self, error: BaseException) -> str:
        match error:
            case exceptions.ReadTimeoutError():
                return f"no answer within {self._timeout.read_timeout:g} s"
            case exceptions.NewConnectionError():  # a subclass of ConnectTimeoutError
                return describe_error(error)
            case exceptions.ConnectTimeoutError():
                return f"no connection within {self._timeout.connect_timeout:g} s"
            case exceptions.SSLError():
                return f"{describe_error(error)}; to trust other certificates, set AWS_CA_BUNDLE"
            case exceptions.ProxyError():
                return f"the proxy: {describe_error(error)}"
            case _:
                return describe_error(error)


def _secrets(url: str) -> Iterator[str]:
    """Yield each part of *url* that may be a token or a password."""
    parts = urlsplit(url)
    yield from (each for each in (parts.path, parts.query, parts.password) if each and each != "/")
    yield from (each for each in parts.path.split("/") if len(each) >= TOKEN_LENGTH)


def _retry_after(response: urllib3.BaseHTTPResponse) -> float:
    """Return the seconds in the Retry-After header of *response*, 0 without one."""
    try:
        return float(Retry().get_retry_after(response) or 0)
    except (exceptions.InvalidHeader, OverflowError, ValueError):
        return 0
