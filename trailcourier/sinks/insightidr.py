"""Rapid7 InsightIDR, in the three ways it takes records from others.

Delivery: at least once.  To a collector a batch is accepted once the program there has read all of
it and ended its side of the connection, or, if so set, once its host has acknowledged every byte
and the connection is still open.  To the webhook a record is accepted when the answer is 204.  To
the token port a batch is accepted when every byte is acknowledged.  Rapid7 answers alike, and keeps
nothing, where the token is another's, so the first record is to be looked for there.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from trailcourier.egress import Egress, Peer
from trailcourier.errors import ConfigError, Fault
from trailcourier.models import Origin
from trailcourier.secret import Secret
from trailcourier.sinks.endpoint import Endpoint
from trailcourier.sinks.stream import AcceptWhen, Host, OverTcp, Stream
from trailcourier.sinks.terms import Terms

RAPID7 = "insight.rapid7.com"
ENTRY = 32_767  # bytes; the webhook was seen to break a longer record in two, and to answer 204
ACCEPTED = 204
_TOKEN = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Region = Literal["us", "us2", "us3", "eu", "ca", "au", "ap"]


def log_token(secret: Secret) -> str:
    """Return the token that *secret* holds now; raises ValueError or ConfigError if it has none."""
    token = secret.reveal().strip()
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"{secret} holds no log token of Rapid7, which is a UUID")
    return token


def web_address(secret: Secret) -> str:
    """Return the URL that *secret* holds now; raises ValueError or ConfigError if it has none."""
    url = secret.reveal().strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"{secret} holds no URL: https://HOST/PATH is one")
    return url


def _is_token(value: Secret) -> Secret:
    log_token(value)
    return value


Token = Annotated[Secret, AfterValidator(_is_token)]


class Collector(OverTcp):
    """Send each record as a line to a port that an Insight Collector listens on."""

    type: Literal["insightidr"]
    way: Literal["collector"]
    host: Host = Field(description="the collector's name or address")
    port: int = Field(ge=1, le=65_535, description="the event source's port on it")
    accept_when: AcceptWhen = Field(
        "read",
        description='"read": once the program there has read the batch and ended its side of the '
        'connection; "acknowledged": once its host has every byte, on connections that stay',
    )

    def peers(self) -> tuple[Peer, ...]:
        return self.at(self.host)

    def open(self, name: str, egress: Egress) -> "Lines":
        return Lines(name, self.stream(name, self.host, egress))


class TokenTcp(OverTcp):
    """Send each record as a line behind a log token, straight to Rapid7; a legacy way."""

    type: Literal["insightidr"]
    way: Literal["token"]
    token: Token = Field(description="the log's, a UUID")
    region: Region | None = Field(None, description="as in the address of Rapid7's pages")
    host: Host | None = Field(
        None, validate_default=True, description="in place of `region`: a relay of your own"
    )
    port: int = Field(443, ge=1, le=65_535, description="Rapid7 takes plain TCP on 80")
    accept_when: AcceptWhen = Field("acknowledged", description="as for a collector")
    max_record_bytes: int = Field(
        ENTRY, ge=1024, description="a larger record is oversized; CloudTrail's end at 256 KiB"
    )

    @field_validator("host")
    @classmethod
    def _or_a_region(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "region" not in info.data:  # itself wrong, and said so
            return value
        region = info.data["region"]
        if value is None and region is None:
            raise ValueError("missing, and so is region: set one of them")
        if value is not None and region is not None:
            raise ValueError("stands beside region: leave one of them out")
        return value

    @property
    def server(self) -> str:
        return self.host or f"{self.region}.data.logs.{RAPID7}"

    def peers(self) -> tuple[Peer, ...]:
        return self.at(self.server)

    def open(self, name: str, egress: Egress) -> "Lines":
        return Lines(name, self.stream(name, self.server, egress), token=self.token)


class Webhook(Terms):
    """Post each record to Rapid7's webhook; a legacy way."""

    type: Literal["insightidr"]
    way: Literal["webhook"]
    region: Region | None = Field(None, description="as in the address of Rapid7's pages")
    token: Token | None = Field(None, description="the log's, a UUID")
    url: Secret | None = Field(
        None, validate_default=True, description="in place of `region` and `token`: all of it"
    )
    request_records: int = Field(
        1, ge=1, le=10_000, description="records in one request; Rapid7 itself keeps only the first"
    )
    connect_seconds: float = Field(5, gt=0, le=20, description="time a connection may take")
    timeout_seconds: float = Field(20, gt=0, le=60, description="time an answer may take")
    max_record_bytes: int = Field(
        ENTRY, ge=1024, description="a larger record is oversized; CloudTrail's end at 256 KiB"
    )

    @field_validator("url")
    @classmethod
    def _or_region_and_token(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        others = [name for name in ("region", "token") if info.data.get(name)]
        missing = [name for name in ("region", "token") if info.data.get(name, "wrong") is None]
        if value is None:
            if missing:
                raise ValueError(f"missing, and so is {' and '.join(missing)}")
            return value
        if others:
            raise ValueError(f"stands beside {' and '.join(others)}: leave one or the other out")
        web_address(value)
        return value

    @field_validator("request_records")
    @classmethod
    def _as_many_as_are_kept(cls, value: int, info: ValidationInfo) -> int:
        url = info.data.get("url")
        if value > 1 and (url is None or _host(web_address(url)).endswith(RAPID7)):
            raise ValueError("must be 1: Rapid7 keeps the first line of a request and answers 204")
        return value

    @property
    def at_once(self) -> int:
        return self.request_records

    @property
    def address(self) -> str:
        """The URL as it is now; raises ValueError or ConfigError if there is none."""
        if self.url is not None:
            return web_address(self.url)
        assert self.token is not None  # noqa: S101 - validated: it has either
        return f"https://{self.region}.webhook.logs.{RAPID7}/v1/noformat/{log_token(self.token)}"

    def peers(self) -> tuple[Peer, ...]:
        parts = urlsplit(self.address)
        return (Peer(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"),)

    def open(self, name: str, egress: Egress) -> "Posts":
        return Posts(name, self, egress)


InsightIDR = Annotated[Collector | Webhook | TokenTcp, Field(discriminator="way")]


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _now(read: Callable[[], str], sink: str) -> str:
    """Return what a secret holds now, by *read*.

    It is read each time: a token that was replaced meets no refusal after which to read it anew.
    """
    try:
        return read()
    except (ValueError, ConfigError) as error:
        raise Fault("sink-credentials", str(error), where=sink) from error


class Lines:
    """Each record as a line of a stream, behind the token in *token* if there is one."""

    commits: Literal["batch", "object"] = "batch"

    def __init__(self, name: str, stream: Stream, *, token: Secret | None = None) -> None:
        self.name = name
        self._stream = stream
        self._token = token

    def start(self, origin: Origin) -> "Lines":
        """Begin nothing: all objects go the same way, whatever their *origin*."""
        del origin
        return self

    def send(self, batch: Sequence[bytes]) -> None:
        if not batch:
            return
        token = self._token
        before = b"" if token is None else f"{_now(lambda: log_token(token), self.name)} ".encode()
        lines = [*batch]
        lines[0] = before + lines[0]
        lines[-1] += b"\n"
        self._stream.send((b"\n" + before).join(lines))  # the one copy of all of it

    def finish(self) -> None:
        """Do nothing: each batch was final."""

    def drop(self) -> None:
        """Do nothing: what was accepted cannot be taken back."""

    def close(self) -> None:
        self._stream.close()


class Posts:
    """Each record, or as many as are set, as a request of its own."""

    commits: Literal["batch", "object"] = "batch"

    def __init__(self, name: str, config: Webhook, egress: Egress) -> None:
        self.name = name
        self._config = config
        self._kind = "application/json" if config.at_once == 1 else "application/x-ndjson"
        self._endpoint = Endpoint(
            sink=name,
            egress=egress,
            accepts=ACCEPTED,
            connect=config.connect_seconds,
            timeout=config.timeout_seconds,
            reasons={404: "sink-credentials"},  # a token of no log's shape; see docs/sinks
        )

    def start(self, origin: Origin) -> "Posts":
        """Begin nothing: all objects go the same way, whatever their *origin*."""
        del origin
        return self

    def send(self, batch: Sequence[bytes]) -> None:
        step = self._config.at_once
        for at in range(0, len(batch), step):
            url = _now(lambda: self._config.address, self.name)
            self._endpoint.post(url, b"\n".join(batch[at : at + step]), kind=self._kind)

    def finish(self) -> None:
        """Do nothing: each request was final."""

    def drop(self) -> None:
        """Do nothing: what was accepted cannot be taken back."""

    def close(self) -> None:
        self._endpoint.close()
