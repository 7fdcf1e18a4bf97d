"""The models of the configuration, with its keys and defaults."""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FilePath,
    StringConstraints,
    field_validator,
)

from trailcourier.aws.network import Network
from trailcourier.errors import ConfigError
from trailcourier.models import ExpertNumbers, LineNumbers, Numbers
from trailcourier.observability import heartbeat
from trailcourier.secret import Secret, check_reference
from trailcourier.settings.source import Source
from trailcourier.sinks import SinkConfig

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]

SCHEMES = ("redis", "rediss", "unix")


class Broker(BaseModel):
    """Redis or Valkey: Celery's queues and the ledger."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Secret | None = Field(
        None,
        description='"env:NAME", or "file:/path", whose user and password are read again for every '
        "connection, or a URL without password",
        json_schema_extra={
            "anyOf": [{"type": "string", "pattern": "^(env:.|file:.|[a-z]+://[^@]*$)"}]
        },
    )
    ca_file: FilePath | None = Field(None, description="CA certificates for rediss")
    namespace: str = Field(
        "trailcourier",
        pattern=r"^[A-Za-z0-9._-]{1,40}$",
        description="prefix of every key, so that several fleets may share one server",
    )
    require_noeviction: bool = Field(
        True, description="refuse to start if the server may evict keys when it is full"
    )
    visibility_timeout: int = Field(
        300,
        gt=30,
        le=43_200,
        description="seconds until the task of a worker that died is delivered to another one",
    )

    @field_validator("url", mode="before")
    @classmethod
    def _may_be_plain(cls, value: object) -> object:
        """A URL in the file counts as a secret only if it has a password."""
        if isinstance(value, str) and not value.startswith(("env:", "file:")):
            return Secret.public(value) if _without_password(value) else value
        return value

    @field_validator("url")
    @classmethod
    def _is_usable(cls, value: Secret | None) -> Secret | None:
        if value is not None:
            _refuse_unsupported(value.reveal())
        return value


class WorkerSettings(BaseModel):
    """The processes of this host."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = Field(8, ge=1, le=256, description="objects that one process forwards at once")
    processes: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=256,
        description="object workers that `run` starts; by default one per core",
    )
    flower_objects: bool = Field(
        True, description="show every object in Flower; flower.md says what that costs"
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: console on a terminal, else JSON"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the lowest level that is written"
    )
    metrics_host: str = Field(
        "127.0.0.1", description="where a worker serves `/metrics`, `/livez` and `/readyz`"
    )
    metrics_port: int = Field(
        9464,
        ge=0,
        le=65_535,
        description="its port, a different one for each process of a host; 0 for none",
    )
    heartbeat_file: Path = Field(
        default_factory=heartbeat.default,
        description="the file a process writes every ten seconds, for `trailcourier healthcheck`; "
        "by default `trailcourier-UID/heartbeat` in the temporary directory",
    )
    state_dir: Path = Field(
        Path("~/.local/state/trailcourier"),
        validate_default=True,
        description="where `run` keeps data between starts; created with mode 0700, refused if "
        "others may write to it; by default a folder in systemd's or XDG's state directory",
    )

    @field_validator("state_dir")
    @classmethod
    def _at_home(cls, value: Path) -> Path:
        return value.expanduser()


class Flower(BaseModel):
    """The logins of Flower; only Flower reads the secrets named here."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    credentials: Annotated[str, AfterValidator(check_reference)] | None = Field(
        None, description='"file:/path" or "env:NAME" with logins USER:PASSWORD, one per line'
    )


class LineSettings(LineNumbers):
    """The line's numbers; seconds unless the name says otherwise."""

    expert: ExpertNumbers = ExpertNumbers()


class Configuration(BaseModel):
    """Every table that a file and the environment may set."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    broker: Broker = Broker()
    workers: WorkerSettings = Field(default_factory=WorkerSettings)
    flower: Flower = Flower()
    line: LineSettings = LineSettings()
    sources: dict[Name, Source] = Field(default_factory=dict)
    sinks: dict[Name, SinkConfig] = Field(default_factory=dict)


class Settings(Configuration):
    """The configuration of this process, and the other settings from its environment.

    *path* is its file, if any; only tests set *fail_point*.
    """

    path: Path | None = None
    network: Network = Network()
    fail_point: str = ""

    @property
    def numbers(self) -> Numbers:
        """All numbers of the line, from ``[line]`` and ``[line.expert]``."""
        return Numbers(**{**dict(self.line.expert), **self.line.model_dump(exclude={"expert"})})

    def broker_url(self) -> str:
        """Return the broker's URL with its password; raises ConfigError if none is configured."""
        if self.broker.url is None:
            text = (
                "not set; set the URL of a Redis or Valkey, or use `trailcourier run` to start one"
            )
            raise ConfigError([f"{self.path or 'environment'}: broker.url: {text}"])
        return self.broker.url.reveal()

    def warnings(self) -> list[str]:
        """Return what is valid but probably not intended."""
        used = {sink for source in self.sources.values() for sink in source.sinks}
        open_ = [name for name, source in self.sources.items() if not source.buckets]
        text = "not set, so a message may name any bucket that these credentials can read"
        found = [
            *(f"sources.{name}.buckets: {text}" for name in open_),
            *(
                f"sources.{name}.buckets: {_foreign_buckets(source)}"
                for name, source in self.sources.items()
                if _foreign_buckets(source)
            ),
            *(f"sinks.{name}: no source uses it" for name in self.sinks if name not in used),
        ]
        return [f"{self.path or 'environment'}: {each}" for each in found]


_WILD = re.compile(r"[*?\[]")  # characters that make a name a glob


def _foreign_buckets(source: Source) -> str:
    """Say which globs of *source* also match buckets of other accounts, or nothing."""
    globs = [json.dumps(each) for each in source.buckets if _WILD.search(each)]
    if not globs or source.expected_bucket_owner:
        return ""
    return (
        f"{', '.join(globs)} also matches buckets that other accounts may create: list the names "
        "of your buckets, or set expected_bucket_owner"
    )


def _without_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return "://" in url and "@" not in url and "password" not in parts.query.lower()


def _refuse_unsupported(url: str) -> None:
    """Raise ValueError, which does not quote *url*, for a broker that the ledger cannot use."""
    try:
        parts = urlsplit(url)
        _ = "," in parts.netloc or parts.port
    except ValueError:
        raise ValueError(
            "must be a URL such as redis://:PASSWORD@HOST:6379/0, with / ? # @ : percent-encoded"
        ) from None
    scheme = parts.scheme.lower()
    query = {name.lower() for name in parse_qs(parts.query, keep_blank_values=True)}
    if "cluster" in scheme or "cluster" in query or "," in parts.netloc:
        raise ValueError(
            "is a Redis Cluster, where a script cannot use keys of several slots: use a single "
            "Redis or Valkey (cluster mode off)"
        )
    if "sentinel" in scheme or ";" in url:
        raise ValueError(
            "is a Redis Sentinel, which is not supported: use the address of the primary"
        )
    if scheme not in SCHEMES:
        raise ValueError(
            "must be the URL of a Redis or Valkey, such as redis://HOST:6379/0, or with the scheme "
            "rediss or unix"
        )
