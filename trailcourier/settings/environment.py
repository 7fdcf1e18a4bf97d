"""Reads the environment; no other module does.

``TRAILCOURIER_SOURCES__PROD__QUEUE_URL`` sets the key ``sources.prod.queue_url``.  In names of
sources and sinks, letters become lower case and underscores hyphens.  An empty variable counts as
unset.  ``TRAILCOURIER_LOG_LEVEL`` and ``TRAILCOURIER_LOG_FORMAT`` are short for keys of
``workers``.
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

from trailcourier.aws.network import Network, with_scheme
from trailcourier.settings.shape import Configuration

PREFIX = "TRAILCOURIER_"
CONFIG = "TRAILCOURIER_CONFIG"
FAIL_POINT = "TRAILCOURIER_FAIL_POINT"

SECTIONS = tuple(Configuration.model_fields)
_NAMED = ("sources", "sinks")  # tables of tables, whose names the operator chooses
# what Kubernetes and Docker set for a service called trailcourier-…
_SERVICE_LINK = re.compile(r"\w+_(SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")
_SHORT = {
    "TRAILCOURIER_LOG_LEVEL": "TRAILCOURIER_WORKERS__LOG_LEVEL",
    "TRAILCOURIER_LOG_FORMAT": "TRAILCOURIER_WORKERS__LOG_FORMAT",
}
_ENDPOINT = "AWS_ENDPOINT_URL"
_PROXIES = ("https_proxy", "http_proxy", "no_proxy")
_NO_KEYS = {CONFIG, FAIL_POINT}

_OTHER_BROKER = (
    "Celery would use this broker or result backend instead of `broker.url`, which the rest of the "
    "fleet uses. Unset it, and pass neither -b nor --result-backend."
)
_OTHER_CODE = (
    "Celery would load settings or code that Trailcourier does not know. Unset it, and "
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
"""Variables that Celery obeys before our configuration, and the error for each."""

KeyPath = tuple[str, ...]


class Variables(msgspec.Struct):
    """The keys that variables set: *tree* in the form of the file, *set_by* which variable each."""

    tree: dict[str, Any] = {}
    set_by: dict[KeyPath, str] = {}
    unknown: list[str] = []
    problems: list[str] = []


class _Shape(Configuration, BaseSettings):
    """Tells pydantic-settings which keys are tables and lists; never instantiated."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__")


def environ() -> Mapping[str, str]:
    """Return the environment as it is now."""
    return dict(os.environ)


def variables(env: Mapping[str, str]) -> Variables:
    """Read every ``TRAILCOURIER_*`` variable that sets a key."""
    found = Variables()
    source = EnvSettingsSource(_Shape)
    for name, value in sorted(env.items()):
        if not name.upper().startswith(PREFIX) or name in _NO_KEYS or not value:
            continue
        whole = _SHORT.get(name, name)
        path = _path(whole)
        if path is None:
            found.unknown.append(name)
            continue
        source.env_vars = {
            whole.lower(): value
        }  # one at a time, so that an error names its variable
        try:
            tree = source()
        except SettingsError:  # its text quotes the value
            found.problems.append(f"{name}: must be JSON for this key")
            continue
        found.tree = merged(found.tree, _hyphened(tree))
        found.set_by[path] = name
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
    """Merge two trees; where both have a key, the value of *above* counts."""
    tree = dict(below)
    for key, value in above.items():
        was = tree.get(key)
        if isinstance(was, dict) and isinstance(value, dict):
            tree[key] = merged(was, value)
        else:
            tree[key] = value
    return tree


def service_link(name: str) -> bool:
    """Whether Kubernetes or Docker set *name*, for a service called trailcourier."""
    return _SERVICE_LINK.fullmatch(name) is not None


def foreign(env: Mapping[str, str]) -> list[str]:
    """Return a problem for each variable that Celery would obey instead of our configuration."""
    return [f"{name}: {what}" for name, what in FOREIGN.items() if env.get(name)]


def network(env: Mapping[str, str]) -> tuple[Network, list[str]]:
    """Return how this process reaches other hosts, and the problems of these variables."""
    endpoints = {
        name.removeprefix(_ENDPOINT): value
        for name, value in env.items()
        if name.startswith(_ENDPOINT) and value
    }
    # the lower-case name wins, as for curl and Python
    proxies = {name: env.get(name) or env.get(name.upper()) or None for name in _PROXIES}
    bundle = env.get("AWS_CA_BUNDLE") or None
    problems = [
        f"{_ENDPOINT}{service}: must be a URL such as http://HOST:PORT"
        for service, value in endpoints.items()
        if not _is_web(value)
    ]
    problems += [
        f"{name if env.get(name) else name.upper()}: must be a URL such as http://PROXY:PORT"
        for name in ("https_proxy", "http_proxy")
        if (proxy := proxies[name]) and not _is_web(with_scheme(proxy))
    ]
    if bundle and not Path(bundle).is_file():
        problems.append("AWS_CA_BUNDLE: the file that it names does not exist")
    network = Network(
        endpoint_url=endpoints.pop("", None),
        endpoints=tuple(sorted((key[1:].lower(), value) for key, value in endpoints.items())),
        https_proxy=proxies["https_proxy"],
        http_proxy=proxies["http_proxy"],
        no_proxy=proxies["no_proxy"] or "",
        ca_bundle=Path(bundle) if bundle else None,
    )
    return network, problems


def network_variables(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that ``network`` obeys; their URLs may hold passwords."""
    endpoints = sorted(name for name in env if name.startswith(_ENDPOINT))
    proxies = [name if env.get(name) else name.upper() for name in _PROXIES]
    names = [*endpoints, "AWS_CA_BUNDLE", *proxies]
    return {name: env[name] for name in names if env.get(name)}


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def defaults(env: Mapping[str, str]) -> dict[str, Any]:
    """Return keys whose defaults the environment sets: systemd's or XDG's state directory.

    systemd's directory also holds the files of file sinks, which other users may read; so the
    default is a folder in it.
    """
    if state_variable(env) == "STATE_DIRECTORY":
        return {"workers": {"state_dir": f"{env['STATE_DIRECTORY'].split(':', 1)[0]}/state"}}
    if state_variable(env):
        return {"workers": {"state_dir": f"{env['XDG_STATE_HOME']}/trailcourier"}}
    return {}


def state_variable(env: Mapping[str, str]) -> str:
    """Return the variable that sets the default of ``workers.state_dir``; empty without one."""
    return next((each for each in ("STATE_DIRECTORY", "XDG_STATE_HOME") if env.get(each)), "")


def state_folder(env: Mapping[str, str]) -> Path:
    """Return the folder for what commands of this user remember."""
    if state_variable(env) == "STATE_DIRECTORY":
        return Path(env["STATE_DIRECTORY"].split(":", 1)[0], "state")
    home = env.get("XDG_STATE_HOME") or Path(env.get("HOME") or "/", ".local", "state")
    return Path(home, "trailcourier")
