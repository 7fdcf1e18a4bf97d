"""A fleet that is well, as its processes and the steps of its lines tell the ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from trailcourier import wiring
from trailcourier.ledger import Ledger
from trailcourier.ledger.workers import BEAT, CONTROL, OBJECTS, Presence
from trailcourier.secret import Secret
from trailcourier.settings import Settings

THREADS = 8
NOTED = ("tick", "poll", "settle", "maintenance")
QUEUE = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"


@contextmanager
def wired(client: redis.Redis, **workers: Any) -> Iterator[Settings]:
    """Wire this process to the broker of *client*, with one source; *workers* are its settings."""
    where = client.connection_pool.connection_kwargs
    url = f"redis://:{where['password']}@{where['host']}:{where['port']}/0"
    found = Settings.model_validate(
        {
            "workers": workers,
            "sources": {"prod": {"queue_url": QUEUE, "sinks": ["archive"]}},
            "sinks": {"archive": {"type": "file", "path": "events"}},
        }
    )
    broker = found.broker.model_copy(update={"url": Secret("env:URL", {"URL": url})})
    found = found.model_copy(update={"broker": broker})
    wiring.configure(found)
    try:
        yield found
    finally:
        wiring.forget()


def pulse(ledger: Ledger, role: str, *, host: str = "host", **more: Any) -> None:
    """Have the process of *role* on *host* say that it is alive."""
    values = {"version": "0.1.0", "config": "c0ffee", **more}
    presence = Presence(roles=(role,), host=host, pid=7, **values)
    threads = THREADS if role == OBJECTS else 0
    ledger.workers.note_heartbeat(f"{role}@{host}/7", threads, presence)


def move(ledger: Ledger, *steps: str) -> None:
    """Have each step of the line, or those named, leave its trace."""
    for step in steps or NOTED:
        ledger.traces.note(step)


def well(ledger: Ledger) -> None:
    """Have everybody be there, and the line move."""
    for role in (CONTROL, OBJECTS, BEAT):
        pulse(ledger, role)
    move(ledger)
