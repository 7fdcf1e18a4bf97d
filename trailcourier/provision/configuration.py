"""The tables of ``trailcourier.toml`` for the source that setup created."""

import contextlib
import os
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from trailcourier.aws import regions
from trailcourier.errors import ConfigError
from trailcourier.provision.names import Layout
from trailcourier.settings.toml_text import toml_value

ARCHIVE = """\
[sinks.archive]
type = "file"
path = "events"
"""


class ExistingConfiguration(msgspec.Struct, frozen=True):
    """A configuration file as it is: its text, its sinks, and the queue URL of each source."""

    text: str = ""
    sinks: tuple[str, ...] = ()
    sources: dict[str, str] = {}


class CredentialReferences(msgspec.Struct, frozen=True):
    """The references that the credentials table holds; never a secret itself."""

    access_key_id: str = ""
    secret_access_key: str = ""
    external_id: str = ""


def queue_url(layout: Layout) -> str:
    """Return the queue's URL in AWS's form."""
    host = f"sqs.{layout.region}.{regions.host_suffix(layout.partition)}"
    return f"https://{host}/{layout.account}/{layout.queue}"


def queue_address(layout: Layout, url: str) -> regions.QueueAddress:
    """Return the address in a queue's URL; the URL of an emulator does not name the region."""
    try:
        return regions.parse_queue_url(url)
    except ValueError:
        return regions.parse_queue_url(url, layout.region)


def read_existing(path: Path) -> ExistingConfiguration:
    """Read the file at *path*; empty if there is none.

    Raises ConfigError if it cannot be read or is not a configuration of ours.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = tomllib.loads(text)
    except FileNotFoundError:
        return ExistingConfiguration()
    except (OSError, ValueError) as error:
        advice = "correct it or name another file with --write"
        raise ConfigError([f"{path}: cannot be added to: {error}: {advice}"]) from error
    sources = tree.get("sources", {})
    if not isinstance(sources, dict) or not isinstance(tree.get("sinks", {}), dict):
        text = "sources and sinks have to be tables: correct it or name another file with --write"
        raise ConfigError([f"{path}: cannot be added to: {text}"])
    urls = {name: _queue_url_of(source) for name, source in sources.items()}
    return ExistingConfiguration(text, tuple(tree.get("sinks", {})), urls)


def read_credentials(path: Path, source: str) -> list[str]:
    """Return the references to the access key of *source* in the file; empty where it has none."""
    try:
        tree: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        table = tree["sources"][source]["credentials"]
        return [str(table["access_key_id"]), str(table["secret_access_key"])]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _queue_url_of(source: object) -> str:
    return str(source.get("queue_url", "")) if isinstance(source, dict) else ""


def find_conflict(path: Path, layout: Layout, existing: ExistingConfiguration) -> str:
    """Return why the source cannot be written to the file; empty if it can."""
    name = layout.request.source
    if name not in existing.sources or _names_our_queue(existing.sources[name], layout):
        return ""
    return (
        f"{path}: already has a source {name} with another queue, which setup does not change: "
        "choose another name with --source"
    )


def _names_our_queue(url: str, layout: Layout) -> bool:
    with contextlib.suppress(ValueError):
        queue = regions.parse_queue_url(url, layout.region)
        return (queue.account, queue.name) == (layout.account, layout.queue)
    return False


def render_source(
    layout: Layout,
    url: str,
    *,
    credential: CredentialReferences = CredentialReferences(),  # noqa: B008 - frozen
    sinks: Sequence[str] = (),
) -> str:
    """Return the source's tables, and those of a file sink where no *sinks* are named."""
    source: dict[str, Any] = {"queue_url": url}
    try:
        regions.parse_queue_url(url)
    except ValueError:  # an emulator's URL does not name the region
        source["queue_region"] = layout.region
    source |= {
        "bucket_region": layout.bucket_region,
        "buckets": [layout.bucket],
        # a deleted bucket's name is free for anybody
        "expected_bucket_owner": layout.request.bucket_account or layout.account,
        "sinks": list(sinks) or ["archive"],
    }
    name = layout.request.source
    tables = [
        _table(f"sources.{name}", source),
        _table(f"sources.{name}.credentials", _credentials_table(layout, credential)),
        _table(
            f'sources.{name}.bucket_credentials."{layout.bucket}"',
            _bucket_credentials_table(layout, credential),
        ),
        *([] if sinks else [ARCHIVE]),
    ]
    return "\n".join(filter(None, tables))


def _credentials_table(layout: Layout, references: CredentialReferences) -> dict[str, Any]:
    match layout.request.reader:
        case "user":
            return {"kind": "iam-user", **_access_key(references)}
        case "instance-profile":
            return {"kind": "instance-profile"}
        case "cross-account":
            external = {"external_id": references.external_id}
            return {"kind": "assume-role", "role_arn": layout.role_arn, **external}
        case _:  # AWS's default chain finds a pod's credentials, among others
            return {}


def _bucket_credentials_table(layout: Layout, references: CredentialReferences) -> dict[str, Any]:
    """Return the role of the bucket's account, which the collector assumes as itself."""
    role = layout.request.bucket_role
    if not role:
        return {}
    table = {"kind": "assume-role", "role_arn": role, "external_id": references.external_id}
    return {**table, **_access_key(references)} if layout.request.reader == "user" else table


def _access_key(references: CredentialReferences) -> dict[str, str]:
    return {
        "access_key_id": references.access_key_id,
        "secret_access_key": references.secret_access_key,
    }


def _table(name: str, values: dict[str, Any]) -> str:
    lines = [f"{key} = {toml_value(value)}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""]) if lines else ""


def append_to_file(path: Path, existing: ExistingConfiguration, added: str) -> None:
    """Replace the file atomically by its *existing* text followed by *added*.

    Raises ConfigError if the file cannot be written.
    """
    text = existing.text
    before = text if not text or text.endswith("\n") else f"{text}\n"
    whole = f"{before}\n{added}" if before else added
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            file.write(whole)
        Path(file.name).chmod(mode)
        os.replace(file.name, path)  # noqa: PTH105 - replaces an existing file on every system
    except OSError as error:
        advice = "name a file in a folder that you can write to"
        raise ConfigError([f"{path}: cannot be written: {error.strerror}: {advice}"]) from error
