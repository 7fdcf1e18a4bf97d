"""The line on Celery's own transport and result backend, with a chord for each message.

The bench compares the line with it.  A worker or beat imports this module before Celery starts.
Tasks, settings, ledger and sinks are the line's.
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
    """Publish one chord for each message."""
    for message in messages:
        headers = [_header(work) for work in works if work.message == message]
        chord(headers)(tasks.line.settle.s(source, [message]))


def _header(work: Work) -> Signature[str]:
    args = (work.source, work.message, work.index, work.generation, work.name)
    return tasks.line.forward.s(*args)


tasks.line.publish = publish
