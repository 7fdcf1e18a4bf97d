"""The app: ``celery -A tasks worker`` finds it here."""

import os
from functools import cached_property
from typing import Any

from celery import Celery, signals
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from tasks import flower
from tasks.worker import Turns, Worker, refuse
from trailcourier import observe, wiring
from trailcourier.client import CONNECTIONS, Login
from trailcourier.duty import QUEUES
from trailcourier.errors import ConfigError
from trailcourier.ledger.store import FORMAT
from trailcourier.settings import Settings

# so that URLs stay as everybody writes them
TRANSPORT_ALIASES.update(dict.fromkeys(["redis", "rediss"], "tasks.transport:Transport"))


FIXED: dict[str, Any] = {
    "redis_socket_timeout": 10,  # as for the broker, which it is
    "redis_socket_connect_timeout": 3,
    "redis_backend_health_check_interval": 10,  # before use, if idle for longer
    "redis_max_connections": CONNECTIONS,  # each thread keeps one
    # longer than SQS lets anybody hold a message: a chord whose headers end further apart
    # loses its body without a word
    "result_expires": 86_400,
    "task_ignore_result": True,  # a chord keeps its own copies; any other result is a write
    "task_acks_late": False,  # a lost tick or settle is made good by tend; forward says True
    "task_reject_on_worker_lost": True,  # a lost worker is no failure of its forward
    "task_publish_retry_policy": {  # bounded: then the caller, or tend, knows what to do
        "max_retries": 5,
        "interval_start": 0.1,
        "interval_step": 0.3,
        "interval_max": 1.0,
    },
    "accept_content": ["json"],  # a message is data, never code
    "task_queues": [Queue(name, Exchange(name), name) for name in QUEUES],
    "task_default_queue": "control",
    "task_create_missing_queues": False,  # a queue nobody consumes is a mistake
    "imports": ["tasks.line"],
    "worker_pool": "threads",  # S3 and sinks are waiting; a lost broker fails no chord here
    "worker_concurrency": None,  # by the queues it consumes: tasks.worker
    "worker_prefetch_multiplier": 1,  # what waits, waits in the broker, not in a dead worker
    "worker_send_task_events": True,  # for Flower; forward sends its own unless told not to
    "worker_consumer": "tasks.events:Consumer",
    "worker_redirect_stdouts": False,  # a stdout sink writes there
}
"""What holds in every fleet, each with its reason."""


def conf(settings: Settings) -> dict[str, Any]:
    """Every Celery setting that matters here, each with its reason."""
    url, keys = settings.broker_url(), f"{settings.broker.namespace}:{FORMAT}:celery:"
    ca_file = settings.broker.ca_file
    login = Login(settings.broker_url)  # a rotated secret is in its file, not in these URLs
    tls = {"ssl_cert_reqs": "required", "ssl_ca_certs": ca_file and str(ca_file)}
    return FIXED | {
        "broker_url": for_kombu(url),
        "broker_use_ssl": tls if url.startswith("rediss:") else None,
        "broker_connection_max_retries": None,  # a fleet outlives its broker's bad days
        "broker_connection_retry_on_startup": True,  # one plain line, and another attempt
        "broker_channel_error_retry": True,  # no error reply of the broker ends a worker
        "broker_transport_options": {
            "global_keyprefix": keys,  # one Redis may serve several fleets
            # when a killed worker's forwards come back; more than the longest forward takes, and
            # than the 30 s for which a worker may claim a completed chord
            "visibility_timeout": settings.broker.visibility_timeout,
            "unacked_restore_interval": 10,  # look for them every 10 s ...
            "unacked_restore_throttle": 1,  # ... and not only every tenth time
            "socket_timeout": 10,  # a broker that hangs is a broker that is gone
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "login": login,
            "priority_steps": [0],  # no priorities: one list a queue, not four
            # settles, which make room, and what is published here is bounded by what is in hand
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
    """Celery with our worker, and remote control that answers questions only."""

    control_cls = "tasks.control:Control"
    Worker = cached_property(lambda self: self.subclass_with_self(Worker))


def made() -> App:
    """Build the app; a configuration that cannot serve ends the process."""
    try:
        settings = flower.settings() if flower.asked_for() else wiring.settings()
        app = App("trailcourier")
        app.conf.update(conf(settings))
        app.steps["consumer"].add(Turns)
    except ConfigError as error:
        refuse(error, os.EX_CONFIG)
    if flower.asked_for():
        flower.set_defaults(app, broker=lambda: for_kombu(settings.broker_url()))
    return app


@signals.setup_logging.connect
def write_logs(loglevel: int, **_: Any) -> None:
    """Celery's own lines look as ours do; ``-l`` says from what level on."""
    observe.adopt(wiring.settings().workers.log_format, loglevel)


app = made()
