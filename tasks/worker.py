"""The worker process, and how it stops."""

import os
import signal
import sys
import threading
from typing import Any, NoReturn

import celery.apps.worker
from celery import bootsteps, signals
from celery.utils.nodenames import default_nodename, host_format

from tasks import departure
from trailcourier import wiring
from trailcourier.duty import Service, duty
from trailcourier.errors import ConfigError, Unreachable

stopping = threading.Event()
"""Set at the first signal to stop; polls and forwards look at it."""


def refuse(error: ConfigError, status: int) -> NoReturn:
    """End the process, every reason on a line."""
    sys.stderr.write("".join(f"trailcourier: {problem}\n" for problem in error.problems))
    raise SystemExit(status)


class Worker(celery.apps.worker.Worker):
    """A worker whose threads and name follow from its queues; ``-c`` and ``-n`` still win."""

    def __init__(self, app: Any = None, hostname: str | None = None, **options: Any) -> None:
        queues, excluded = options.get("queues") or (), options.get("exclude_queues") or ()
        try:
            self.duty = duty(queues, excluded, wiring.settings())
        except ConfigError as error:
            refuse(error, os.EX_USAGE)
        self.service = Service(self.duty, wiring.settings(), stopping)
        # gossip fails noisily when the broker goes, mingle costs every start
        options.update(without_gossip=True, without_mingle=True)
        options["concurrency"] = options.get("concurrency") or self.duty.threads
        if hostname in {None, default_nodename("")}:
            hostname = host_format(f"{self.duty.name}@%h")
        # where Celery talks, unless -q; stdout is for a stdout sink's records
        vars(sys)["__stdout__"] = None if options.get("quiet") else sys.__stderr__
        super().__init__(app, hostname, **options)
        wiring.fitness().host = self.hostname.partition("@")[2]
        carries = min(self.duty.carries, self.concurrency)
        self.service.begin(f"{self.hostname}/{os.getpid()}", carries)

    def install_platform_tweaks(self, worker: Any) -> None:
        super().install_platform_tweaks(worker)
        shut_down: Any = signal.getsignal(signal.SIGTERM)

        def once(*args: Any) -> None:
            """Celery ignores a second SIGTERM; here it ends the process.

            It must not run this again: it would wait for ever for a lock that we hold.
            """
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            shut_down(*args)

        signal.signal(signal.SIGTERM, once)
        signal.signal(signal.SIGINT, once)  # exits 0 too, not 1

    def on_consumer_ready(self, consumer: Any) -> None:
        try:
            wiring.demand_broker()
        except Unreachable as error:  # gone again, which Celery is about to notice
            sys.stderr.write(f"trailcourier: {error}\n")
        except ConfigError as error:
            refuse(error, os.EX_CONFIG)
        super().on_consumer_ready(consumer)


class Turns(bootsteps.StartStopStep):
    """Tells the worker's service that its consumer's loop turns, for as long as it has a broker."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    every = 5.0  # seconds

    def start(self, parent: Any) -> None:
        service = parent.controller.service
        service.connected()
        parent.timer.call_repeatedly(self.every, service.life.turned)  # cleared when it is lost

    def stop(self, parent: Any) -> None:
        parent.controller.service.life.disconnected()


@signals.worker_shutting_down.connect
def stop(**_: Any) -> None:
    """Ask polls and forwards to end, and do not wait for a broker that is gone."""
    stopping.set()
    departure.watch()
