"""The tables of the collector's configuration that use what was set up."""

import contextlib
import json
import os
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from trailcourier import regions
from trailcourier.errors import ConfigError
from trailcourier.provision.layout import Layout

ARCHIVE = """\
[sinks.archive]
type = "file"
path = "events"
"""


class Held(msgspec.Struct, frozen=True):
    """What a configuration file holds already: its text, its sinks, its sources by queue URL."""

    text: str = ""
    sinks: tuple[str, ...] = ()
    sources: dict[str, str] = {}


class Credential(msgspec.Struct, frozen=True):
    """The references that the credentials table names; never a secret itself."""

    access_key_id: str = ""
    secret_access_key: str = ""
    external_id: str = ""


def queue_url(layout: Layout) -> str:
    """The queue's URL as AWS forms it."""
    host = f"sqs.{layout.region}.{regions.suffix(layout.partition)}"
    return f"https://{host}/{layout.account}/{layout.queue}"


def address(layout: Layout, url: str) -> regions.QueueAddress:
    """What a queue's URL says; an emulator's does not say the region."""
    try:
        return regions.queue(url)
    except ValueError:
        return regions.queue(url, layout.region)


def held(path: Path) -> Held:
    """Read what is at *path*; raises ConfigError if it is no configuration of ours."""
    try:
        text = path.read_text(encoding="utf-8")
        tree = tomllib.loads(text)
    except FileNotFoundError:
        return Held()
    except (OSError, ValueError) as error:
        raise ConfigError([f"{path}: cannot be added to: {error}"]) from error
    sources = tree.get("sources", {})
    if not isinstance(sources, dict) or not isinstance(tree.get("sinks", {}), dict):
        raise ConfigError([f"{path}: cannot be added to: sources and sinks are no tables"])
    urls = {name: _url(source) for name, source in sources.items()}
    return Held(text, tuple(tree.get("sinks", {})), urls)


def _url(source: object) -> str:
    return str(source.get("queue_url", "")) if isinstance(source, dict) else ""


def refused(path: Path, layout: Layout, there: Held) -> str:
    """Say why nothing can be written for this source, if so."""
    name = layout.request.source
    if name not in there.sources or _is_ours(there.sources[name], layout):
        return ""
    return (
        f"{path}: has a source {name} already, with another queue, and what is there is kept: "
        "choose another name with --source"
    )


def _is_ours(url: str, layout: Layout) -> bool:
    with contextlib.suppress(ValueError):
        queue = regions.queue(url, layout.region)
        return (queue.account, queue.name) == (layout.account, layout.queue)
    return False


def text(
    layout: Layout,
    url: str,
    *,
    credential: Credential = Credential(),  # noqa: B008 - frozen
    sinks: Sequence[str] = (),
) -> str:
    """The source's tables, and a file sink where there are no *sinks*."""
    source: dict[str, Any] = {"queue_url": url}
    try:
        regions.queue(url)
    except ValueError:  # an emulator's, which does not say it
        source["queue_region"] = layout.region
    source |= {
        "bucket_region": layout.bucket_region,
        "buckets": [layout.bucket],
        "sinks": list(sinks) or ["archive"],
    }
    if owner := layout.request.bucket_account:  # a bucket of one's own is not asked for each file
        source["expected_bucket_owner"] = owner
    name = layout.request.source
    tables = [
        _table(f"sources.{name}", source),
        _table(f"sources.{name}.credentials", _credentials(layout, credential)),
        _table(
            f'sources.{name}.bucket_credentials."{layout.bucket}"',
            _bucket_credentials(layout, credential),
        ),
        *([] if sinks else [ARCHIVE]),
    ]
    return "\n".join(filter(None, tables))


def _credentials(layout: Layout, named: Credential) -> dict[str, Any]:
    match layout.request.reader:
        case "user":
            return {"kind": "iam-user", **_key(named)}
        case "instance-profile":
            return {"kind": "instance-profile"}
        case "cross-account":
            external = {"external_id": named.external_id}
            return {"kind": "assume-role", "role_arn": layout.role_arn, **external}
        case _:  # the default chain finds a pod's, and whatever else there is
            return {}


def _bucket_credentials(layout: Layout, named: Credential) -> dict[str, Any]:
    """The role of the bucket's own account, taken as the collector itself."""
    role = layout.request.bucket_role
    if not role:
        return {}
    held = {"kind": "assume-role", "role_arn": role, "external_id": named.external_id}
    return {**held, **_key(named)} if layout.request.reader == "user" else held


def _key(named: Credential) -> dict[str, str]:
    return {
        "access_key_id": named.access_key_id,
        "secret_access_key": named.secret_access_key,
    }


def _table(name: str, values: dict[str, Any]) -> str:
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""]) if lines else ""


def write(path: Path, there: Held, added: str) -> None:
    """Put *added* after what is *there*, in one stroke; raises ConfigError if it cannot be."""
    before = there.text if not there.text or there.text.endswith("\n") else f"{there.text}\n"
    whole = f"{before}\n{added}" if before else added
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            file.write(whole)
        Path(file.name).chmod(mode)
        os.replace(file.name, path)  # noqa: PTH105 - the one call that replaces
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from error
