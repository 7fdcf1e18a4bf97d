"""The app: ``celery -A tasks worker`` finds it here."""

import os
from functools import cached_property
from typing import Any

from celery import Celery, signals
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from tasks import flower
from tasks.worker import LoopTurns, Worker, refuse
from trailcourier import wiring
from trailcourier.errors import ConfigError
from trailcourier.ledger.redis_client import CONNECTIONS, Login
from trailcourier.ledger.store import FORMAT
from trailcourier.observability import log
from trailcourier.settings import Settings
from trailcourier.worker.role import QUEUES

# so that URLs stay as everybody writes them
TRANSPORT_ALIASES.update(dict.fromkeys(["redis", "rediss"], "tasks.transport:Transport"))


FIXED: dict[str, Any] = {
    "redis_socket_timeout": 10,  # the backend is the broker: the same limits
    "redis_socket_connect_timeout": 3,
    "redis_backend_health_check_interval": 10,  # before use, if idle for longer
    "redis_max_connections": CONNECTIONS,  # each thread keeps one
    # longer than SQS hides a message: a chord whose headers end further apart loses its body,
    # and Celery logs nothing
    "result_expires": 86_400,
    "task_ignore_result": True,  # a chord keeps its own copies; nothing reads any other result
    "task_acks_late": False,  # maintenance repairs a lost tick or settle; forward sets True
    "task_reject_on_worker_lost": True,  # then the broker redelivers its forwards
    "task_publish_retry_policy": {  # bounded: then the caller, or maintenance, retries
        "max_retries": 5,
        "interval_start": 0.1,
        "interval_step": 0.3,
        "interval_max": 1.0,
    },
    "accept_content": ["json"],  # a message is data, not code
    "task_queues": [Queue(name, Exchange(name), name) for name in QUEUES],
    "task_default_queue": "control",
    "task_create_missing_queues": False,  # a queue without a consumer is a mistake
    "imports": ["tasks.line"],
    "worker_pool": "threads",  # work waits for S3 and sinks; a lost broker fails no chord
    "worker_concurrency": None,  # tasks.worker derives it from the queues
    "worker_prefetch_multiplier": 1,  # tasks wait in the broker, not in a worker that may die
    # after a lost connection: what still runs is not to take room for ever
    "worker_enable_prefetch_count_reduction": False,
    "worker_send_task_events": True,  # for Flower; forward sends its own unless told not to
    "worker_consumer": "tasks.events:Consumer",
    "worker_redirect_stdouts": False,  # a stdout sink writes there
}
"""Celery settings that are the same in every fleet."""


def conf(settings: Settings) -> dict[str, Any]:
    """Return the Celery settings for *settings*."""
    url, keys = settings.broker_url(), f"{settings.broker.namespace}:{FORMAT}:celery:"
    login = Login(settings.broker_url)  # reads a rotated password from its file
    tls = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(settings.broker.ca_file or "") or None}
    return FIXED | {
        "broker_url": for_kombu(url),
        "broker_use_ssl": tls if url.startswith("rediss:") else None,
        "broker_connection_max_retries": None,  # never give up on the broker
        "broker_connection_retry_on_startup": True,  # log one line and retry
        "broker_channel_error_retry": True,  # an error reply must not end a worker
        "broker_transport_options": {
            "global_keyprefix": keys,  # one Redis may serve several fleets
            # after which a killed worker's forwards are redelivered: longer than any forward, and
            # than the 30 s for which a worker may claim a completed chord
            "visibility_timeout": settings.broker.visibility_timeout,
            "unacked_restore_interval": 10,  # check for them every 10 s ...
            "unacked_restore_throttle": 1,  # ... and not only every tenth time
            "socket_timeout": 10,  # a broker that hangs counts as gone
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "login": login,
            "priority_steps": [0],  # no priorities: one list a queue, not four
            # settles free memory, so a full broker takes them too; leases bound their number
            "finishing": ["control"],
        },
        "result_backend": "tasks.backend.Backend+" + _spelt(url, "socket://"),
        "redis_backend_use_ssl": tls if url.startswith("rediss:") else None,
        "result_backend_transport_options": {"global_keyprefix": keys, "login": login},
    }


def for_kombu(url: str) -> str:
    """Spell *url* as kombu and Flower want it."""
    return _spelt(url, "redis+socket://")


def _spelt(url: str, scheme: str) -> str:
    """Spell a Unix socket's URL (``unix:///path?db=0``) as kombu or Celery wants it."""
    for ours in ("unix://", "redis+socket://"):
        if url.startswith(ours):
            return scheme + url.removeprefix(ours).replace("db=", "virtual_host=")
    return url


class App(Celery):
    """Celery with our worker, and with remote control that only answers questions."""

    control_cls = "tasks.control:Control"
    Worker = cached_property(lambda self: self.subclass_with_self(Worker))


def made() -> App:
    """Build the app; an invalid configuration ends the process."""
    try:
        settings = flower.settings() if flower.asked_for() else wiring.settings()
        app = App("trailcourier")
        app.conf.update(conf(settings))
        app.steps["consumer"].add(LoopTurns)
    except ConfigError as error:
        refuse(error, os.EX_CONFIG)
    if flower.asked_for():
        flower.set_defaults(app, broker=lambda: for_kombu(settings.broker_url()))
    return app


@signals.setup_logging.connect
def write_logs(loglevel: int, **_: Any) -> None:
    """Write Celery's own log lines in our format; ``-l`` sets their level."""
    log.adopt(wiring.settings().workers.log_format, loglevel)


app = made()
