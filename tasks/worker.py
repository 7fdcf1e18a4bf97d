"""The worker process, and how it stops."""

import os
import signal
import sys
from typing import Any, NoReturn

import celery.apps.worker
from celery import bootsteps, signals
from celery.utils.nodenames import default_nodename, host_format

from tasks import departure
from trailcourier import wiring
from trailcourier.errors import ConfigError, Unreachable
from trailcourier.worker.pace import SIZE
from trailcourier.worker.role import WorkerService, role_of


def refuse(error: ConfigError, status: int) -> NoReturn:
    """Print each reason on a line and exit with *status*."""
    sys.stderr.write("".join(f"trailcourier: {problem}\n" for problem in error.problems))
    raise SystemExit(status)


class Worker(celery.apps.worker.Worker):
    """A worker whose threads and name follow from its queues; ``-c`` and ``-n`` override them."""

    def __init__(self, app: Any = None, hostname: str | None = None, **options: Any) -> None:
        queues, excluded = options.get("queues") or (), options.get("exclude_queues") or ()
        try:
            self.role = role_of(queues, excluded, wiring.settings())
        except ConfigError as error:
            refuse(error, os.EX_USAGE)
        self.service = WorkerService(self.role, wiring.settings(), wiring.stopping)
        # gossip floods the log when the broker goes away; mingle delays every start
        options.update(without_gossip=True, without_mingle=True)
        options["concurrency"] = options.get("concurrency") or self.role.threads
        if self.role.forwards:  # what one thread may take: `groups.room` says what it takes now
            options["prefetch_multiplier"] = SIZE
        if hostname in {None, default_nodename("")}:
            hostname = host_format(f"{self.role.name}@%h")
        # where Celery prints its banner, unless -q: stdout belongs to a stdout sink
        vars(sys)["__stdout__"] = None if options.get("quiet") else sys.__stderr__
        super().__init__(app, hostname, **options)
        wiring.fitness().host = self.hostname.partition("@")[2]
        threads = min(self.role.forwards, self.concurrency)
        self.service.begin(f"{self.hostname}/{os.getpid()}", threads)

    def install_platform_tweaks(self, worker: Any) -> None:
        super().install_platform_tweaks(worker)
        shut_down: Any = signal.getsignal(signal.SIGTERM)

        def once(*args: Any) -> None:
            """Shut down; restore the default action, so that a second signal ends the process.

            Celery ignores a second SIGTERM.  Running this twice would deadlock on a lock we hold.
            """
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            shut_down(*args)

        signal.signal(signal.SIGTERM, once)
        signal.signal(signal.SIGINT, once)  # exits 0 too, not 1

    def on_stopped(self) -> None:
        super().on_stopped()
        self.service.end()

    def on_consumer_ready(self, consumer: Any) -> None:
        try:
            wiring.demand_broker()
        except Unreachable as error:  # it went away again; Celery will notice
            sys.stderr.write(f"trailcourier: {error}\n")
        except ConfigError as error:
            refuse(error, os.EX_CONFIG)
        super().on_consumer_ready(consumer)


class LoopTurns(bootsteps.StartStopStep):
    """Reports to the worker's service that the consumer's loop turns, while it has a broker."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    every = 5.0  # seconds

    def start(self, parent: Any) -> None:
        service = parent.controller.service
        service.connected()
        parent.timer.call_repeatedly(
            self.every, service.health.turned
        )  # the timer ends with the connection

    def stop(self, parent: Any) -> None:
        parent.controller.service.health.disconnected()


@signals.worker_shutting_down.connect
def stop(**_: Any) -> None:
    """Ask polls and forwards to end; do not wait for a broker that is gone."""
    wiring.stopping.set()
    departure.watch()
