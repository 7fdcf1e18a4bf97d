"""The four tasks: each hands its arguments to the line, which decides."""

from collections.abc import Sequence
from typing import Any

import redis
from celery import signals, uuid
from celery.exceptions import Ignore
from kombu.exceptions import KombuError

from tasks.celery import app
from tasks.events import QUIET
from tasks.foreign import OurRequest
from tasks.ticks import drop_late
from tasks.transport import limits, waits
from tasks.worker import stopping
from trailcourier import observe, wiring
from trailcourier.errors import TrailcourierError
from trailcourier.line.carry import carry
from trailcourier.line.receive import poll as receive
from trailcourier.line.settle import settle as settle_messages
from trailcourier.line.tend import tend as tend_leases
from trailcourier.line.work import Work
from trailcourier.wiring import lines

SHOWN = wiring.settings().workers.flower_objects
PROBE = wiring.settings().line.breaker_probe
FORESEEN = (TrailcourierError, redis.RedisError, KombuError)  # one log line; tend makes it good


# a host that fails by itself leaves its objects to others
limits["objects"] = lambda room: wiring.fitness().room(room, PROBE)


@app.task(name="trailcourier.poll", throws=FORESEEN, **QUIET)
def poll(source: str, slot: int = 0) -> int:
    drop_late(poll, source)
    return receive(lines.line(source), slot, publish, stopping)


# acks late: a killed worker's forward comes back
@app.task(
    name="trailcourier.forward",
    queue="objects",
    acks_late=True,
    send_events=SHOWN,
    Request=OurRequest,
)
def forward(source: str, message: str, index: int, generation: int, name: str) -> str:
    """Deliver one object and return its status.

    Must not raise: an exception would fail the chord.
    """
    work, status = Work(source, message, index, generation, name), "pending"
    try:
        carried = carry(lines.carrying(source), work, str(forward.request.id), stopping)
        if carried.ours:
            raise Ignore
        status = carried.told
        if carried.settle:
            settle.apply_async((None, source, None), argsrepr=source, kwargsrepr="")
    except FORESEEN as error:
        say(forward, error)
    return status


@app.task(name="trailcourier.settle", throws=FORESEEN, **QUIET)
def settle(_outcomes: object, source: str, messages: Sequence[str] | None) -> int:
    """Settle from the ledger; what the forwards of a chord returned decides nothing."""
    return settle_messages(lines.line(source), messages)


@app.task(name="trailcourier.tend", throws=FORESEEN, **QUIET)
def tend(source: str) -> int:
    drop_late(tend, source)
    return tend_leases(lines.line(source), publish, queue_idle, stopping)


@signals.task_failure.connect
def say(sender: Any, exception: Exception, **_: Any) -> None:
    """Say what was foreseen in one line; Celery logs the rest, with a traceback."""
    if isinstance(exception, FORESEEN):
        observe.fact("task_failed", task=sender.name, why=str(exception))


def publish(source: str, works: Sequence[Work], messages: Sequence[str]) -> None:
    """Send one chord, its headers in one round trip.

    As ``chord()`` would, but that does not use our producer and makes a signature of each header.
    """
    shown = f"{source}, {len(messages)} message{'s' * (len(messages) != 1)}"
    # with an id of its own, for sent twice it is the same task twice
    body = settle.s(source, list(messages)).set(task_id=uuid(), argsrepr=shown, kwargsrepr="")
    chord, sender = uuid(), app.current_worker_task
    of = {"chord": body, "group_id": chord, "parent_id": sender and sender.request.id}
    app.backend.set_chord_size(chord, len(works))
    with app.producer_pool.acquire(block=True) as to, to.batch():
        for index, work in enumerate(works):
            header = _header(work, group_index=index, **of)
            # sent to the queue by its name, for which it need not be declared
            app.amqp.send_task_message(to, forward.name, header, queue="objects", declare=[])


def _header(work: Work, **of: Any) -> Any:
    """One forward; Flower shows its object, not where its lease is."""
    args = (work.source, work.message, work.index, work.generation, work.name)
    shown = f"{work.source} {ascii(work.name)[1:-1]}"
    return app.amqp.create_task_message(
        uuid(), forward.name, args, argsrepr=shown, kwargsrepr="", ignore_result=True, **of
    )


def queue_idle() -> bool:
    """Whether no forward waits in the broker."""
    with app.pool.acquire(block=True) as connection:
        return not waits(connection.default_channel, "objects")
