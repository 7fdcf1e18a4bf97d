"""The four tasks: each passes its arguments to the line, which decides."""

from collections.abc import Iterator, Sequence
from typing import Any

import redis
from celery import signals, uuid
from celery.exceptions import Ignore
from kombu.exceptions import KombuError

from tasks import groups
from tasks.celery import app
from tasks.events import QUIET
from tasks.foreign import OurRequest
from tasks.ticks import drop_late
from tasks.transport import has_message
from trailcourier import wiring
from trailcourier.errors import TrailcourierError
from trailcourier.line.fitness import pause
from trailcourier.line.forward import ForwardTask, forward_objects
from trailcourier.line.maintenance import maintain
from trailcourier.line.poll import poll as receive
from trailcourier.line.settle import settle as settle_messages
from trailcourier.line.work import Work
from trailcourier.observability import log
from trailcourier.wiring import lines

PAUSE = pause(wiring.settings().numbers)
# each is one log line: maintenance retries
FORESEEN = (TrailcourierError, redis.RedisError, KombuError)


@app.task(name="trailcourier.poll", throws=FORESEEN, **QUIET)
def poll(source: str, slot: int = 0) -> int:
    drop_late(poll, source)
    return receive(lines.line(source), slot, publish)


# acks late: the broker redelivers a killed worker's forward
@app.task(
    name="trailcourier.forward",
    queue="objects",
    acks_late=True,
    send_events=wiring.settings().workers.flower_objects,
    Request=OurRequest,
    Strategy="tasks.groups:Strategy",
)
def forward(source: str, message: str, index: int, generation: int, name: str) -> str:
    """Deliver one object and return its status: a group of one, which Celery itself runs."""
    work = Work(source, message, index, generation, name)
    (((_, status),),) = _forward_all(source, [ForwardTask(work, str(forward.request.id))])
    if status is None:
        raise Ignore
    return status


def forward_together(requests: Sequence[Any]) -> Iterator[list[tuple[Any, str | None]]]:
    """Deliver the objects of *requests*; yield those that have ended, each with its status."""
    by_source: dict[str, dict[int, Any]] = {}
    for request in requests:
        by_source.setdefault(request.args[0], {})[id(request)] = request
    for source, its in by_source.items():
        tasks = [ForwardTask(Work(*each.args), each.id, key) for key, each in its.items()]
        for part in _forward_all(source, tasks):
            yield [(its[task.key], status) for task, status in part]


def _forward_all(
    source: str, tasks: Sequence[ForwardTask]
) -> Iterator[list[tuple[ForwardTask, str | None]]]:
    """Deliver objects of one source; yield those that have ended, with None for a duplicate.

    Must not raise: an exception would fail the chord.  The other copy of a duplicate counts for it.
    """
    waiting = {task.key: task for task in tasks}
    try:
        for part in forward_objects(lines.for_forward(source), tasks):
            if any(ended.settle for _, ended in part):
                _ask_for_settle(source)
            for task, _ in part:
                del waiting[task.key]
            yield [(task, None if ended.duplicate else ended.text) for task, ended in part]
    except FORESEEN as error:
        log_foreseen(forward, error)
    if waiting:
        yield [(task, "pending") for task in waiting.values()]


def _ask_for_settle(source: str) -> None:
    try:
        settle.apply_async((None, source, None), argsrepr=source, kwargsrepr="")
    except FORESEEN as error:  # maintenance settles what nobody asked for
        log_foreseen(forward, error)


groups.together["objects"] = forward_together
# a host with a fault of its own leaves objects to other hosts
groups.rooms["objects"] = lambda free: wiring.fitness().room(free, PAUSE)


@app.task(name="trailcourier.settle", throws=FORESEEN, **QUIET)
def settle(_outcomes: object, source: str, messages: Sequence[str] | None) -> int:
    """Settle from the ledger; the return values of the forwards are not used."""
    return settle_messages(lines.line(source), messages)


@app.task(name="trailcourier.maintenance", throws=FORESEEN, **QUIET)
def maintenance(source: str) -> int:
    drop_late(maintenance, source)
    return maintain(lines.line(source), publish, queue_idle)


@signals.task_failure.connect
def log_foreseen(sender: Any, exception: Exception, **_: Any) -> None:
    """Log a foreseen error in one line; Celery logs all others with a traceback."""
    if isinstance(exception, FORESEEN):
        log.emit("task_failed", task=sender.name, why=str(exception))


def publish(source: str, works: Sequence[Work], messages: Sequence[str]) -> None:
    """Send one chord, with all its headers in one round trip.

    ``chord()`` does not use our producer, and builds a signature for each header.
    """
    shown = f"{source}, {len(messages)} message{'s' * (len(messages) != 1)}"
    # with its own id: if it is sent twice, it is the same task
    body = settle.s(source, list(messages)).set(task_id=uuid(), argsrepr=shown, kwargsrepr="")
    chord, sender = uuid(), app.current_worker_task
    of = {"chord": body, "group_id": chord, "parent_id": sender and sender.request.id}
    app.backend.set_chord_size(chord, len(works))
    with app.producer_pool.acquire(block=True) as to, to.batch():
        for index, work in enumerate(works):
            header = _header(work, group_index=index, **of)
            # the queue is named, so it need not be declared
            app.amqp.send_task_message(to, forward.name, header, queue="objects", declare=[])


def _header(work: Work, **of: Any) -> Any:
    """Return the message of one forward; Flower shows its object, not its lease."""
    args = (work.source, work.message, work.index, work.generation, work.name)
    shown = f"{work.source} {ascii(work.name)[1:-1]}"
    return app.amqp.create_task_message(
        uuid(), forward.name, args, argsrepr=shown, kwargsrepr="", ignore_result=True, **of
    )


def queue_idle() -> bool:
    """Whether no forward waits in the broker."""
    with app.pool.acquire(block=True) as connection:
        return not has_message(connection.default_channel, "objects")
