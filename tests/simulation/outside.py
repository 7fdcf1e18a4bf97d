"""What befalls the world from outside, at moments that the plan has fixed."""

from collections.abc import Callable
from typing import Any

from tests.simulation.plan import Event

RELOAD = 2000  # ms between the stop of a process and its start, at least


class Outside:
    """Arranges the events of a world's plan."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._schedule = world.schedule

    def arrange(self) -> None:
        for event in self._world.plan.events:
            self._schedule.at(event.at, lambda event=event: self._happen(event))

    def _happen(self, event: Event) -> None:
        self._world.history.add(self._schedule.now, "outside", f"* {event}")
        getattr(self, "_" + event.kind.replace("-", "_"))(event)

    def _after(self, event: Event, act: Any) -> None:
        def over() -> None:
            self._world.history.add(self._schedule.now, "outside", f"over: {event}")
            act()

        self._schedule.at(self._schedule.now + event.lasts, over)

    def _everything_struck(self) -> None:
        """Note a loss of the ledger: it may concern every object there is."""
        self._world.lost_ledger = True
        self._all_objects_struck()

    def _all_objects_struck(self) -> None:
        for names in self._world.buckets.objects:
            self._world.points.struck[f"s3://{names[0]}/{names[1]}"].append(self._schedule.now)

    # processes and hosts

    def _kill(self, event: Event) -> None:
        self._world.kill(self._world.processes[event.what])

    def _freeze(self, event: Event) -> None:
        process = self._world.processes[event.what]
        process.frozen_until = self._schedule.now + event.lasts
        self._world.points.touch(process)

    def _pause(self, event: Event) -> None:
        """The whole fleet stands still, as virtual machines do that are suspended.

        `status` says so as soon as it has not heard of anybody for a while.
        """
        self._world.started = self._schedule.now
        for process in self._world.processes.values():
            process.frozen_until = self._schedule.now + event.lasts
            self._world.points.touch(process)

    def _stop(self, event: Event) -> None:
        process = self._world.processes[event.what]
        if process.alive:
            self._world.points.touch(process)
            self._world.workers[event.what].stop()
            self._world.restart(event.what, 30_000 + event.lasts)

    def _step(self, event: Event) -> None:
        self._world.processes[event.what].clock.skew += float(event.how)

    def _restart(self, _event: Event) -> None:
        """Every process is killed at once, as in a power cut."""
        for process in list(self._world.processes.values()):
            self._world.kill(process)

    def _configure(self, event: Event) -> None:
        """One process after the other is stopped, and started with the new configuration."""
        names = list(self._world.processes)
        self._world.chance.shuffle(names)
        for number, name in enumerate(names):
            at = self._schedule.now + event.lasts * number // len(names)
            self._schedule.at(at, lambda name=name: self._reconfigure(name))

    def _reconfigure(self, name: str) -> None:
        self._world.numbers[name] = self._world.plan.new_numbers
        if self._world.processes[name].alive:
            self._world.points.touch(self._world.processes[name])
            self._world.workers[name].stop()
            self._world.restart(name, RELOAD)

    def _retry(self, _event: Event) -> None:
        """An operator carries everything in quarantine again."""
        self._world.command("retry")

    def _look(self, _event: Event) -> None:
        """An operator asks for the status, and for what is in quarantine."""
        self._world.command("look")

    def _drain(self, _event: Event) -> None:
        """An operator begins to drain the queue."""
        self._world.command("drain")

    def _drop(self, _event: Event) -> None:
        """An operator removes everything from quarantine."""
        self._world.command("drop")

    # the broker

    def _broker_step(self, event: Event) -> None:
        """The clock of the broker's host is set: what anybody has in hand may be taken over."""
        self._world.link.skew += int(event.how) * 1000
        self._all_objects_struck()  # and what was delivered within the hour is so no more

    def _flush(self, event: Event) -> None:
        self._world.database.empty()
        self._world.broker.empty()
        self._everything_struck()

    def _restore(self, event: Event) -> None:
        world = self._world
        world.database.keep_copy()
        copy = world.broker.copy()

        def restore() -> None:
            world.database.restore_copy()
            world.database.forget_scripts()
            world.broker.restore_copy(copy)
            self._everything_struck()

        self._after(event, restore)

    def _full(self, event: Event) -> None:
        self._world.database.full = True
        self._over(event, lambda: setattr(self._world.database, "full", False))

    def _no_writes(self, event: Event) -> None:
        self._world.database.refuses = True
        self._over(event, lambda: setattr(self._world.database, "refuses", False))

    def _away(self, event: Event) -> None:
        self._world.link.trouble = event.how
        self._over(event, lambda: setattr(self._world.link, "trouble", ""))

    def _over(self, event: Event, repair: Callable[[], None]) -> None:
        """Have the broker serve again once *event* is over."""

        def back() -> None:
            repair()
            self._world.broker_away = self._world.schedule.now

        self._after(event, back)

    # what the line depends on

    def _sink(self, event: Event) -> None:
        sink = self._sink_of(event)
        sink.trouble = event.how
        self._after(event, lambda: setattr(sink, "trouble", ""))

    def _sink_host(self, event: Event) -> None:
        sink, (reason, host) = self._sink_of(event), event.how.split()
        sink.hosts[host] = reason
        self._after(event, lambda: sink.hosts.pop(host, None))

    def _sink_rejects(self, event: Event) -> None:
        sink = self._sink_of(event)
        sink.rejects_all = True
        self._after(event, lambda: setattr(sink, "rejects_all", False))

    def _bucket(self, event: Event) -> None:
        trouble = self._world.buckets.trouble
        trouble[event.what] = event.how
        self._after(event, lambda: trouble.pop(event.what, None))

    _prefix = _bucket

    def _credentials(self, event: Event) -> None:
        trouble, sqs = self._world.buckets.trouble, self._world.sqs
        sqs.trouble = "credentials"
        for bucket in ("acme-logs", "acme-other"):
            trouble[bucket] = "credentials"

        def over() -> None:
            sqs.trouble = ""
            for bucket in ("acme-logs", "acme-other"):
                trouble.pop(bucket, None)

        self._after(event, over)

    def _queue(self, event: Event) -> None:
        self._world.sqs.trouble = event.how
        self._after(event, lambda: setattr(self._world.sqs, "trouble", ""))

    def _no_extend(self, event: Event) -> None:
        self._world.sqs.denies_extend = True
        self._after(event, lambda: setattr(self._world.sqs, "denies_extend", False))

    def _purge(self, _event: Event) -> None:
        self._world.sqs.purge()

    def _redrive(self, _event: Event) -> None:
        self._world.sqs.redrive()

    def _redeliver(self, event: Event) -> None:
        self._world.sqs.redeliver(event.what)

    def _sink_of(self, event: Event) -> Any:
        return next(sink for sink in self._world.sinks if sink.name == event.what)
