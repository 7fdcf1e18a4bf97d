"""What the environment says: the one reader of it.

``TRAILCOURIER_SOURCES__PROD__QUEUE_URL`` is the key ``sources.prod.queue_url``; names of sources
and sinks are lowered, their underscores become hyphens, and an empty variable counts as unset.
``TRAILCOURIER_LOG_LEVEL`` and ``TRAILCOURIER_LOG_FORMAT`` are short for keys of ``workers``.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from trailcourier.egress import Egress
from trailcourier.settings.shape import Configuration

PREFIX = "TRAILCOURIER_"
CONFIG = "TRAILCOURIER_CONFIG"
FAIL_POINT = "TRAILCOURIER_FAIL_POINT"

SECTIONS = tuple(Configuration.model_fields)
_NAMED = ("sources", "sinks")  # tables of tables, each under a name of the operator's
# what Kubernetes and Docker set for a service that happens to be called trailcourier-…
_SERVICE_LINK = re.compile(r"\w+_(SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")
_SHORT = {
    "TRAILCOURIER_LOG_LEVEL": "TRAILCOURIER_WORKERS__LOG_LEVEL",
    "TRAILCOURIER_LOG_FORMAT": "TRAILCOURIER_WORKERS__LOG_FORMAT",
}
_ENDPOINT = "AWS_ENDPOINT_URL"
_IN_PROGRAM = {CONFIG, FAIL_POINT}

_OTHER_BROKER = (
    "Celery would use this broker or result backend, and not `broker.url` as the rest of the fleet "
    "does. Unset it, and pass neither -b nor --result-backend."
)
_OTHER_CODE = (
    "Celery would take settings or code from there that Trailcourier does not know. Unset it, and "
    "pass neither --config nor --loader."
)
# celery/app/utils.py (Settings), celery/bin/celery.py (each option has a variable, and another
# with the prefix CELERY_), celery/loaders/base.py, celery/concurrency
FOREIGN = {
    "BROKER_URL": _OTHER_BROKER,
    "CELERY_BROKER": _OTHER_BROKER,
    "CELERY_BROKER_READ_URL": _OTHER_BROKER,
    "CELERY_BROKER_URL": _OTHER_BROKER,
    "CELERY_BROKER_WRITE_URL": _OTHER_BROKER,
    "CELERY_CONFIG": _OTHER_CODE,
    "CELERY_CONFIG_MODULE": _OTHER_CODE,
    "CELERY_CUSTOM_WORKER_POOL": _OTHER_CODE,
    "CELERY_LOADER": _OTHER_CODE,
    "CELERY_RESULT_BACKEND": _OTHER_BROKER,
    "CONFIG_MODULE": _OTHER_CODE,
    "LOADER": _OTHER_CODE,
    "RESULT_BACKEND": _OTHER_BROKER,
}
"""The variables that Celery obeys before our configuration, and what is wrong with each."""

KeyPath = tuple[str, ...]


class Variables(msgspec.Struct):
    """The keys that the environment sets: *tree* as the file has it, and who said each."""

    tree: dict[str, Any] = {}
    said_by: dict[KeyPath, str] = {}
    strangers: list[str] = []
    problems: list[str] = []


class _Shape(Configuration, BaseSettings):
    """Tells pydantic-settings which keys hold tables and lists; never made."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__")


def environ() -> Mapping[str, str]:
    """Return the environment as it is now."""
    return dict(os.environ)


def variables(env: Mapping[str, str]) -> Variables:
    """Read every ``TRAILCOURIER_*`` variable that sets a key."""
    found = Variables()
    source = EnvSettingsSource(_Shape)
    for name, value in sorted(env.items()):
        if not name.upper().startswith(PREFIX) or name in _IN_PROGRAM or not value:
            continue
        whole = _SHORT.get(name, name)
        path = _path(whole)
        if path is None:
            found.strangers.append(name)
            continue
        source.env_vars = {whole.lower(): value}  # one at a time, so that what is wrong has a name
        try:
            tree = source()
        except SettingsError:  # it quotes the value
            found.problems.append(f"{name}: is not the JSON that this key takes")
            continue
        found.tree = merged(found.tree, _hyphened(tree))
        found.said_by[path] = name
    return found


def _path(name: str) -> KeyPath | None:
    """Return the key that variable *name* sets, or None if it can set none."""
    section, *rest = name[len(PREFIX) :].lower().split("__")
    if section not in SECTIONS or not all(rest) or len(rest) < 1 + (section in _NAMED):
        return None
    if section in _NAMED:
        rest[0] = rest[0].replace("_", "-")
    return (section, *rest)


def _hyphened(tree: dict[str, Any]) -> dict[str, Any]:
    return {
        section: {name.replace("_", "-"): value for name, value in table.items()}
        if section in _NAMED
        else table
        for section, table in tree.items()
    }


def merged(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both trees as one; where they differ, *above* counts."""
    tree = dict(below)
    for key, value in above.items():
        was = tree.get(key)
        if isinstance(was, dict) and isinstance(value, dict):
            tree[key] = merged(was, value)
        else:
            tree[key] = value
    return tree


def service_link(name: str) -> bool:
    """Say whether Kubernetes or Docker set *name*, for a service that is called like us."""
    return _SERVICE_LINK.fullmatch(name) is not None


def foreign(env: Mapping[str, str]) -> list[str]:
    """Return a problem for each variable by which Celery would leave our configuration."""
    return [f"{name}: {what}" for name, what in FOREIGN.items() if env.get(name)]


def egress(env: Mapping[str, str]) -> tuple[Egress, list[str]]:
    """Return how this process reaches the outside, and what is wrong with that."""
    endpoints = {
        name.removeprefix(_ENDPOINT): value
        for name, value in env.items()
        if name.startswith(_ENDPOINT) and value
    }
    # the lower-case name wins, as for curl and Python
    proxies = {
        name: env.get(name) or env.get(name.upper()) or None
        for name in ("https_proxy", "http_proxy", "no_proxy")
    }
    bundle = env.get("AWS_CA_BUNDLE") or None
    problems = [
        f"{_ENDPOINT}{service}: is no URL: http://HOST:PORT is one"
        for service, value in endpoints.items()
        if not _is_web(value)
    ]
    if bundle and not Path(bundle).is_file():
        problems.append("AWS_CA_BUNDLE: names no file")
    way_out = Egress(
        endpoint_url=endpoints.pop("", None),
        endpoints=tuple(sorted((key[1:].lower(), value) for key, value in endpoints.items())),
        https_proxy=proxies["https_proxy"],
        http_proxy=proxies["http_proxy"],
        no_proxy=proxies["no_proxy"] or "",
        ca_bundle=Path(bundle) if bundle else None,
    )
    return way_out, problems


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def defaults(env: Mapping[str, str]) -> dict[str, Any]:
    """Return the keys whose defaults the environment gives: systemd's or XDG's state directory.

    In systemd's lie the files of file sinks too, which others may read; so ours is a folder in it.
    """
    if env.get("STATE_DIRECTORY"):
        return {"workers": {"state_dir": f"{env['STATE_DIRECTORY'].split(':', 1)[0]}/state"}}
    if env.get("XDG_STATE_HOME"):
        return {"workers": {"state_dir": f"{env['XDG_STATE_HOME']}/trailcourier"}}
    return {}
