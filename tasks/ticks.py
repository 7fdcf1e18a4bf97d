"""Ticks: the messages by which beat starts polls and maintenance."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from celery import uuid
from celery.exceptions import Ignore
from kombu import Connection
from kombu.utils.json import dumps

from tasks.celery import app
from trailcourier import wiring
from trailcourier.ledger.ticks import LIFE, MADE, Ticks
from trailcourier.observability import log

QUEUE = "control"
_ID, _TAG, _TIME = "<id>", "<delivery tag>", "<time>"


def send(task: str, args: Sequence[Any], shown: str) -> bool:
    """Send a tick; *shown* is what Flower shows of its arguments.

    Returns False if enough ticks of this kind wait already.  Raises RedisError.
    """
    source, *rest = args
    tick = ":".join(map(str, [task.rpartition(".")[2], *rest]))
    text = _form(task, tuple(args), shown).replace(_ID, uuid()).replace(_TAG, uuid())
    before, _, after = text.partition(dumps(_TIME))
    queue = app.conf.broker_transport_options["global_keyprefix"] + QUEUE
    return Ticks(wiring.ledger(source).store).send(queue, tick, before, after)


def drop_late(task: Any, source: str) -> None:
    """Raise Ignore if the tick that started *task* is too old, and log and count that.

    A task without a time was started by hand and is never dropped.
    """
    made = task.request.get(MADE)
    age = Ticks(wiring.ledger(source).store).age(made) if isinstance(made, int) else 0.0
    if age > LIFE:
        log.emit("tick_dropped", source=source, task=task.name, seconds=round(age, 1))
        raise Ignore


@cache
def _form(task: str, args: Sequence[Any], shown: str) -> str:
    """Return a tick as kombu encodes it, with placeholders for what differs between ticks."""
    message = app.amqp.create_task_message(
        _ID, task, args, argsrepr=shown, kwargsrepr="", ignore_result=True
    )
    with Connection("memory://") as nowhere:
        app.amqp.send_task_message(
            nowhere.Producer(), task, message, queue=QUEUE, declare=[], headers={MADE: _TIME}
        )
        form = nowhere.default_channel._get(QUEUE)  # noqa: SLF001 - as it would be in Redis
    form["properties"]["delivery_tag"] = _TAG
    return str(dumps(form))
