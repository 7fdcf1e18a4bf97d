"""Ticks: the tasks that the clock calls for, as messages."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from celery import uuid
from celery.exceptions import Ignore
from kombu import Connection
from kombu.utils.json import dumps

from tasks.celery import app
from trailcourier import observe, wiring
from trailcourier.ledger.ticks import LIFE, MADE, Ticks

QUEUE = "control"
_ID, _TAG, _TIME = "<id>", "<delivery tag>", "<time>"


def send(task: str, args: Sequence[Any], shown: str) -> bool:
    """Send a tick; *shown* is what Flower shows of its arguments.

    Answers False where enough of the same tick wait already.  Raises RedisError.
    """
    source, *rest = args
    tick = ":".join(map(str, [task.rpartition(".")[2], *rest]))
    text = _form(task, tuple(args), shown).replace(_ID, uuid()).replace(_TAG, uuid())
    before, _, after = text.partition(dumps(_TIME))
    queue = app.conf.broker_transport_options["global_keyprefix"] + QUEUE
    return Ticks(wiring.ledger(source).store).send(queue, tick, before, after)


def drop_late(task: Any, source: str) -> None:
    """Raise Ignore where *task* was started by a tick that is too old; that is said and counted.

    A task without a time was called for by hand, and is not dropped.
    """
    made = task.request.get(MADE)
    age = Ticks(wiring.ledger(source).store).age(made) if isinstance(made, int) else 0.0
    if age > LIFE:
        observe.fact("tick_dropped", source=source, task=task.name, seconds=round(age, 1))
        raise Ignore


@cache
def _form(task: str, args: Sequence[Any], shown: str) -> str:
    """A tick in the form that kombu gives a message, with words where each tick differs."""
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
