"""The line on Celery's own classes, with a chord for each message: what ours is compared with.

Imported before anything of Celery's starts, in a worker or the clock.  All else is the line's:
its tasks, settings, ledger and sinks.
"""

from collections.abc import Sequence

from celery import Signature, chord
from kombu.transport import TRANSPORT_ALIASES

import tasks.line
from tasks.celery import app
from trailcourier.line.work import Work

TRANSPORT_ALIASES.update(dict.fromkeys(["redis", "rediss"], "kombu.transport.redis:Transport"))
app.conf.update(result_backend=app.conf.broker_url)


def publish(source: str, works: Sequence[Work], messages: Sequence[str]) -> None:
    """Send one chord for each message."""
    for message in messages:
        headers = [_header(work) for work in works if work.message == message]
        chord(headers)(tasks.line.settle.s(source, [message]))


def _header(work: Work) -> Signature[str]:
    args = (work.source, work.message, work.index, work.generation, work.name)
    return tasks.line.forward.s(*args)


tasks.line.publish = publish
