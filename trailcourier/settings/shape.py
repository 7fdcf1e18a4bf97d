"""The configuration as values: what a file and the environment may say, and its defaults."""

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

from trailcourier import heartbeat
from trailcourier.egress import Egress
from trailcourier.errors import ConfigError
from trailcourier.models import Numbers
from trailcourier.secret import Secret, named
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
    )
    ca_file: FilePath | None = Field(None, description="CA certificates for rediss")
    namespace: str = Field(
        "trailcourier",
        pattern=r"^[A-Za-z0-9._-]{1,40}$",
        description="begins every key, so that several may share one server",
    )
    require_noeviction: bool = Field(
        True, description="refuse to start where the server may drop keys when it is full"
    )
    visibility_timeout: int = Field(
        300, gt=30, le=43_200, description="seconds until a dead worker's task is given to another"
    )

    @field_validator("url", mode="before")
    @classmethod
    def _may_be_plain(cls, value: object) -> object:
        """A literal is a secret only if it carries a password."""
        if isinstance(value, str) and not value.startswith(("env:", "file:")):
            return Secret.public(value) if _without_password(value) else value
        return value

    @field_validator("url")
    @classmethod
    def _is_usable(cls, value: Secret | None) -> Secret | None:
        if value is not None:
            _refuse_what_cannot_serve(value.reveal())
        return value


class Workers(BaseModel):
    """This host's processes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = Field(8, ge=1, le=256, description="objects carried at once by one process")
    processes: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=256,
        description="object workers that `run` starts; left out: one a core",
    )
    flower_objects: bool = Field(
        True, description="show every object in Flower; flower.md says what that costs"
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: console on a terminal, else JSON"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least that is written"
    )
    metrics_host: str = Field(
        "127.0.0.1", description="where a worker serves `/metrics`, `/livez` and `/readyz`"
    )
    metrics_port: int = Field(
        9464, ge=0, le=65_535, description="its port, one for each process of a host; 0: none"
    )
    heartbeat_file: Path = Field(
        default_factory=heartbeat.default,
        description="what a process writes every ten seconds, for `trailcourier healthcheck`; left "
        "out: `trailcourier-UID/heartbeat` among the temporary files",
    )
    state_dir: Path = Field(
        Path("~/.local/state/trailcourier"),
        validate_default=True,
        description="what `run` keeps between starts; made with mode 0700, refused where others "
        "may write to it; left out: a folder in systemd's or XDG's state directory",
    )

    @field_validator("state_dir")
    @classmethod
    def _at_home(cls, value: Path) -> Path:
        return value.expanduser()


class Flower(BaseModel):
    """Who may look at Flower, which alone reads what is named here."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    credentials: Annotated[str, AfterValidator(named)] | None = Field(
        None, description='"file:/path" or "env:NAME", which holds USER:PASSWORD, one a line'
    )


class Configuration(BaseModel):
    """All that a file and the environment may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    broker: Broker = Broker()
    workers: Workers = Field(default_factory=Workers)
    flower: Flower = Flower()
    line: Numbers = Numbers()
    sources: dict[Name, Source] = Field(default_factory=dict)
    sinks: dict[Name, SinkConfig] = Field(default_factory=dict)


class Settings(Configuration):
    """The configuration in force, and what else this process was told.

    *path* is the file it came from, if any; *fail_point* is set by tests alone.
    """

    path: Path | None = None
    egress: Egress = Egress()
    fail_point: str = ""

    def broker_url(self) -> str:
        """Return the broker's URL, password and all; raises ConfigError if none is configured."""
        if self.broker.url is None:
            text = "not set; name a Redis or Valkey, or use `trailcourier run`, which brings one"
            raise ConfigError([f"{self.path or 'environment'}: broker.url: {text}"])
        return self.broker.url.reveal()

    def warnings(self) -> list[str]:
        """Say what may be meant, and often is not."""
        used = {sink for source in self.sources.values() for sink in source.sinks}
        open_ = [name for name, source in self.sources.items() if not source.buckets]
        what = "not set, so a message may name any bucket that these credentials can read"
        said = [
            *(f"sources.{name}.buckets: {what}" for name in open_),
            *(
                f"sources.{name}.buckets: {_anybodys(source)}"
                for name, source in self.sources.items()
                if _anybodys(source)
            ),
            *(f"sinks.{name}: no source sends to it" for name in self.sinks if name not in used),
        ]
        return [f"{self.path or 'environment'}: {each}" for each in said]


_WILD = re.compile(r"[*?\[]")  # what makes a glob of a name


def _anybodys(source: Source) -> str:
    """Say which buckets of other people *source* allows too; empty for none."""
    globs = [json.dumps(each) for each in source.buckets if _WILD.search(each)]
    if not globs or source.expected_bucket_owner:
        return ""
    return (
        f"{', '.join(globs)} also allows buckets that anybody else makes under such a name: name "
        "each bucket, or set expected_bucket_owner"
    )


def _without_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return "://" in url and "@" not in url and "password" not in parts.query.lower()


def _refuse_what_cannot_serve(url: str) -> None:
    """Raise ValueError, without *url*, for a broker that cannot do what the ledger needs."""
    try:
        parts = urlsplit(url)
        _ = "," in parts.netloc or parts.port
    except ValueError:
        raise ValueError(
            "is no URL: redis://:PASSWORD@HOST:6379/0 is one, with / ? # @ : percent-encoded"
        ) from None
    scheme = parts.scheme.lower()
    query = {name.lower() for name in parse_qs(parts.query, keep_blank_values=True)}
    if "cluster" in scheme or "cluster" in query or "," in parts.netloc:
        raise ValueError(
            "is a Redis Cluster, in which scripts cannot reach keys of several slots: name a "
            "single Redis or Valkey (cluster mode off)"
        )
    if "sentinel" in scheme or ";" in url:
        raise ValueError("is served by Sentinel, which is not supported: name the primary")
    if scheme not in SCHEMES:
        raise ValueError(
            "is no URL of a Redis or Valkey: redis://HOST:6379/0 is one; so are rediss and unix"
        )
