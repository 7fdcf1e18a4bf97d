"""The InsightIDR sink: the three ways in which Rapid7 InsightIDR accepts records of others.

Delivery: at least once.

- ``collector``: a batch is accepted once the program there has read all of it and ended its side of
  the connection; with ``accept_when = "acknowledged"``, once its host has acknowledged every byte
  and the connection is still open.
- ``webhook``: a record is accepted when the status of the answer is 204.
- ``token``: a batch is accepted when every byte is acknowledged.

Rapid7 gives the same answer, and keeps nothing, if the token is of no log.  So the operator must
look for the first record there.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from trailcourier.aws.network import Network, Peer
from trailcourier.errors import ConfigError, Fault
from trailcourier.models import Origin
from trailcourier.secret import Secret
from trailcourier.sinks.config import DeliverySettings
from trailcourier.sinks.endpoint import Endpoint
from trailcourier.sinks.stream import AcceptWhen, Host, Stream, TcpSettings

RAPID7_DOMAIN = "insight.rapid7.com"
MAX_ENTRY = 32_767  # bytes; measured: the webhook splits a longer record in two and answers 204
ACCEPTED_STATUS = 204
_TOKEN = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Region = Literal["us", "us2", "us3", "eu", "ca", "au", "ap"]


def read_token(secret: Secret) -> str:
    """Return the log token that *secret* holds now; raises ValueError or ConfigError if none."""
    token = secret.reveal().strip()
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"{secret} holds no log token of Rapid7, which is a UUID")
    return token


def read_url(secret: Secret) -> str:
    """Return the URL that *secret* holds now; raises ValueError or ConfigError if none."""
    url = secret.reveal().strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"{secret} holds no URL such as https://HOST/PATH")
    return url


def _is_token(value: Secret) -> Secret:
    read_token(value)
    return value


Token = Annotated[Secret, AfterValidator(_is_token)]


class Collector(TcpSettings):
    """Send each record as a line to a port that an Insight Collector listens on."""

    type: Literal["insightidr"]
    way: Literal["collector"]
    host: Host = Field(description="the collector's name or address")
    port: int = Field(ge=1, le=65_535, description="the event source's port on it")
    accept_when: AcceptWhen = Field(
        "read",
        description='when a batch counts: "read": the program there has read it and ended its side '
        'of the connection; "acknowledged": its host has every byte; the connection stays open',
    )

    def peers(self) -> tuple[Peer, ...]:
        return self.peers_at(self.host)

    def open(self, name: str, network: Network) -> "LineSink":
        return LineSink(name, self.open_stream(name, self.host, network))


class TokenTcp(TcpSettings):
    """Send each record as a line that starts with a log token, directly to Rapid7; legacy."""

    type: Literal["insightidr"]
    way: Literal["token"]
    token: Token = Field(description="the token of the log, a UUID")
    region: Region | None = Field(None, description="as in the URL of Rapid7's pages")
    host: Host | None = Field(
        None, validate_default=True, description="instead of `region`: your own relay"
    )
    port: int = Field(443, ge=1, le=65_535, description="for plain TCP to Rapid7: 80")
    accept_when: AcceptWhen = Field("acknowledged", description="as for a collector")
    max_record_bytes: int = Field(
        MAX_ENTRY, ge=1024, description="a larger record is oversized; CloudTrail's end at 256 KiB"
    )

    @field_validator("host")
    @classmethod
    def _host_or_region(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "region" not in info.data:  # invalid, and reported
            return value
        region = info.data["region"]
        if value is None and region is None:
            raise ValueError("missing, and so is region: set one of them")
        if value is not None and region is not None:
            raise ValueError("cannot be combined with region: leave one of them out")
        return value

    @property
    def server(self) -> str:
        return self.host or f"{self.region}.data.logs.{RAPID7_DOMAIN}"

    def peers(self) -> tuple[Peer, ...]:
        return self.peers_at(self.server)

    def open(self, name: str, network: Network) -> "LineSink":
        return LineSink(name, self.open_stream(name, self.server, network), token=self.token)


class Webhook(DeliverySettings):
    """Post each record to Rapid7's webhook; legacy."""

    type: Literal["insightidr"]
    way: Literal["webhook"]
    region: Region | None = Field(None, description="as in the URL of Rapid7's pages")
    token: Token | None = Field(None, description="the token of the log, a UUID")
    url: Secret | None = Field(
        None, validate_default=True, description="instead of `region` and `token`: the whole URL"
    )
    request_records: int = Field(
        1, ge=1, le=10_000, description="records in one request; Rapid7 keeps only the first"
    )
    connect_seconds: float = Field(5, gt=0, le=20, description="time a connection may take")
    timeout_seconds: float = Field(20, gt=0, le=60, description="time an answer may take")
    max_record_bytes: int = Field(
        MAX_ENTRY, ge=1024, description="a larger record is oversized; CloudTrail's end at 256 KiB"
    )

    @field_validator("url")
    @classmethod
    def _url_or_region_and_token(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        others = [name for name in ("region", "token") if info.data.get(name)]
        missing = [name for name in ("region", "token") if info.data.get(name, "wrong") is None]
        if value is None:
            if missing:
                raise ValueError(f"missing, and so is {' and '.join(missing)}")
            return value
        if others:
            raise ValueError(
                f"cannot be combined with {' and '.join(others)}: leave one of them out"
            )
        read_url(value)
        return value

    @field_validator("request_records")
    @classmethod
    def _one_for_rapid7(cls, value: int, info: ValidationInfo) -> int:
        url = info.data.get("url")
        if value > 1 and (url is None or _host(read_url(url)).endswith(RAPID7_DOMAIN)):
            raise ValueError(
                "must be 1: Rapid7 keeps only the first line of a request, and answers 204"
            )
        return value

    @property
    def max_records_per_request(self) -> int:
        return self.request_records

    @property
    def current_url(self) -> str:
        """The URL, with the secret as it is now; raises ValueError or ConfigError if none."""
        if self.url is not None:
            return read_url(self.url)
        assert self.token is not None  # noqa: S101 - validated: it has one of them
        token = read_token(self.token)
        return f"https://{self.region}.webhook.logs.{RAPID7_DOMAIN}/v1/noformat/{token}"

    def peers(self) -> tuple[Peer, ...]:
        parts = urlsplit(self.current_url)
        return (Peer(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"),)

    def open(self, name: str, network: Network) -> "WebhookSink":
        return WebhookSink(name, self, network)


InsightIDR = Annotated[Collector | Webhook | TokenTcp, Field(discriminator="way")]


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _read_secret(read: Callable[[], str], sink: str) -> str:
    """Return what *read* returns; raises Fault ``sink-credentials`` if it fails.

    Secrets are read for each request, because Rapid7 does not refuse a token that was replaced, so
    no refusal would show when to read it again.
    """
    try:
        return read()
    except (ValueError, ConfigError) as error:
        raise Fault("sink-credentials", str(error), where=sink) from error


class LineSink:
    """Sends each record as a line of *stream*, after the log token in *token* if there is one."""

    commits: Literal["batch", "object"] = "batch"

    def __init__(self, name: str, stream: Stream, *, token: Secret | None = None) -> None:
        self.name = name
        self._stream = stream
        self._token = token

    def start(self, origin: Origin) -> "LineSink":
        """Return this sink: its deliveries need no state."""
        del origin
        return self

    def send(self, batch: Sequence[bytes]) -> None:
        if not batch:
            return
        prefix = self._prefix()
        lines = [*batch]
        lines[0] = prefix + lines[0]
        lines[-1] += b"\n"
        self._stream.send((b"\n" + prefix).join(lines))  # copies the batch only once

    def _prefix(self) -> bytes:
        token = self._token
        if token is None:
            return b""
        return f"{_read_secret(lambda: read_token(token), self.name)} ".encode()

    def finish(self) -> None:
        """Do nothing: each batch was final."""

    def drop(self) -> None:
        """Do nothing: accepted records cannot be taken back."""

    def close(self) -> None:
        self._stream.close()


class WebhookSink:
    """Posts each record, or as many as are set, in its own request."""

    commits: Literal["batch", "object"] = "batch"

    def __init__(self, name: str, config: Webhook, network: Network) -> None:
        self.name = name
        self._config = config
        single = config.request_records == 1
        self._content_type = "application/json" if single else "application/x-ndjson"
        self._endpoint = Endpoint(
            sink=name,
            network=network,
            accepted_status=ACCEPTED_STATUS,
            connect=config.connect_seconds,
            timeout=config.timeout_seconds,
            reasons={404: "sink-credentials"},  # the token has not the form of one; see docs/sinks
        )

    def start(self, origin: Origin) -> "WebhookSink":
        """Return this sink: its deliveries need no state."""
        del origin
        return self

    def send(self, batch: Sequence[bytes]) -> None:
        step = self._config.max_records_per_request
        for at in range(0, len(batch), step):
            url = _read_secret(lambda: self._config.current_url, self.name)
            body = b"\n".join(batch[at : at + step])
            self._endpoint.post(url, body, content_type=self._content_type)

    def finish(self) -> None:
        """Do nothing: each request was final."""

    def drop(self) -> None:
        """Do nothing: accepted records cannot be taken back."""

    def close(self) -> None:
        self._endpoint.close()
