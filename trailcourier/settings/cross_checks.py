"""Checks between tables of the configuration.

They read the tree as it was written, so that their problems are reported together with all others,
not only after those are repaired.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trailcourier.aws import regions
from trailcourier.settings.environment import service_link
from trailcourier.settings.source import listed

Tree = Mapping[str, Any]


def problems(tree: Tree) -> Iterator[str]:
    """Yield the problems between tables, each as ``key: problem``."""
    sources = _tables(tree, "sources")
    if not tree.get("sources"):
        yield "sources: none is configured; add a table [sources.NAME] with its queue_url"
    yield from _shared_queues(sources)
    yield from _absent_sinks(sources, tree.get("sinks", {}))


def unexplained(names: Iterable[str], tree: Tree) -> list[str]:
    """Return the variables of *names* that neither an ``env:NAME`` nor a platform explains."""
    referenced = set(_references(tree))
    return [name for name in names if name not in referenced and not service_link(name)]


def _tables(tree: Tree, section: str) -> dict[str, Tree]:
    tables = tree.get(section)
    if not isinstance(tables, dict):
        return {}
    return {name: table for name, table in tables.items() if isinstance(table, dict)}


def _shared_queues(sources: Mapping[str, Tree]) -> Iterator[str]:
    first: dict[str, str] = {}
    for name, table in sources.items():
        url, region = table.get("queue_url"), table.get("queue_region")
        if not isinstance(url, str) or not isinstance(region, str | None):
            continue
        try:
            queue = regions.parse_queue_url(url, region).identity
        except ValueError:  # reported where the source is validated
            continue
        other = first.setdefault(queue, name)
        if other != name:
            yield (
                f"sources.{name}.queue_url: is also the queue of {other}, and SQS gives each "
                "message to only one of them: make it one source, or subscribe a queue for each"
            )


def _absent_sinks(sources: Mapping[str, Tree], sinks: object) -> Iterator[str]:
    there = [name for name in sinks if isinstance(name, str)] if isinstance(sinks, dict) else []
    for name, table in sources.items():
        for sink in _names(table.get("sinks")):
            if sink not in there:
                near = difflib.get_close_matches(sink, there, n=1)
                hint = f"did you mean {near[0]}?" if near else f"add a table [sinks.{sink}]"
                yield f"sources.{name}.sinks: there is no sink {json.dumps(sink)}; {hint}"


def _names(value: object) -> list[str]:
    try:
        found = listed(value)
    except ValueError:
        return []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _references(tree: object) -> Iterator[str]:
    """Yield every NAME of an ``env:NAME`` in *tree*."""
    if isinstance(tree, str):
        if tree.startswith("env:"):
            yield tree.removeprefix("env:")
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _references(value)
