"""Simulated sinks: what they accepted, from whom and when."""

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from tests.simulation.points import Points, Struck
from trailcourier.errors import Fault, Rejected
from trailcourier.models import Origin


class Accepted(NamedTuple):
    """One record that a sink took."""

    at: int
    record: bytes
    origin: Origin
    who: str


class SinkServer:
    """The other side of one sink; *rejects* is a mark of records that it never takes."""

    def __init__(self, name: str, commits: Literal["batch", "object"], rejects: bytes) -> None:
        self.name = name
        self.commits = commits
        self.rejects = rejects
        self.accepted: list[Accepted] = []
        self.records: dict[bytes, int] = {}  # when each was last accepted
        self.trouble = ""  # a reason while it takes nothing
        self.slow = 0  # ms until it says that it takes nothing
        self.pace = 0  # ms that it takes for each request
        self.hosts: dict[str, str] = {}  # by host: a reason while it takes nothing from there
        self.rejects_all = False
        self.rejected: dict[str, list[int]] = {}  # by object: when it rejected what it never takes

    def accepts(self, records: set[bytes]) -> set[bytes]:
        """Those of *records* that it takes when it is well."""
        return {record for record in records if self.rejects not in record}

    def has(self, records: set[bytes], since: int = 0) -> bool:
        """Whether it accepted all of *records*, at *since* or later."""
        return all(self.records.get(record, -1) >= since for record in records)

    def judges(self, since: int, hosts: Collection[str]) -> bool:
        """Whether it took others from all *hosts* after it last rejected each object.

        What it took before *since* does not count: its news may have reached nobody.
        """
        well = set(hosts).difference(self.hosts)
        return all(
            well.issubset(self._heard(name, max(since, times[-1])))
            for name, times in self.rejected.items()
        )

    def _heard(self, name: str, after: int) -> set[str]:
        """The hosts from which it took records of other objects than *name* since then."""
        return {
            each.who.partition("/")[0]
            for each in self.accepted
            if each.at > after and str(each.origin.ref) != name
        }

    def take(self, batch: Sequence[bytes], origin: Origin, who: str, host: str, now: int) -> None:
        """Accept all of *batch*; raises Fault where it takes none."""
        reason = self.trouble or self.hosts.get(host, "")
        if reason:
            raise Fault(reason, f"{self.name}: simulated", where=self.name)
        poor = any(self.rejects in record for record in batch)
        if poor:
            self.rejected.setdefault(str(origin.ref), []).append(now)
        if poor or self.rejects_all:
            raise Rejected(f"{self.name}: simulated", where=self.name)
        self.records.update(dict.fromkeys(batch, now))
        self.accepted += [Accepted(now, record, origin, who) for record in batch]


class SimDelivery:
    """One object's records on their way into one sink."""

    def __init__(self, server: SinkServer, points: Points, origin: Origin) -> None:
        self._server = server
        self._points = points
        self._origin = origin
        self._held: list[bytes] = []

    def send(self, batch: Sequence[bytes]) -> None:
        told = f"{self._server.name} {len(batch)} of {self._origin.ref.key[-12:]}"
        if self._server.pace:
            self._points.schedule.sleep(self._server.pace)
        if self._server.slow and self._server.trouble:
            self._points.schedule.sleep(self._server.slow)
        if self._server.commits == "object":
            self._call("send", lambda: self._hold(batch), told)
        else:
            self._call("send", lambda: self._take(batch), told, batch)

    def finish(self) -> None:
        if self._server.commits == "object":
            told = f"{self._server.name} {self._origin.ref.key[-12:]}"
            self._call("finish", lambda: self._take(self._held), told)

    def drop(self) -> None:
        self._held = []

    def _hold(self, batch: Sequence[bytes]) -> None:
        reason = self._server.trouble or self._server.hosts.get(self._host(), "")
        if reason:
            raise Fault(reason, f"{self._server.name}: simulated", where=self._server.name)
        self._held += batch

    def _take(self, batch: Sequence[bytes]) -> None:
        actor = self._points.schedule.current
        now = self._points.schedule.now
        self._server.take(batch, self._origin, actor.name, self._host(), now)

    def _host(self) -> str:
        return self._points.schedule.current.process.host

    def _call(self, name, act, told, batch=()):
        def partly(kind: str) -> None:
            """Accept half, and fail."""
            if batch and kind == "half":
                half = batch[: len(batch) // 2]
                if half:
                    self._take(half)
            raise Struck("sink-unreachable")

        try:
            self._points.call(f"sink.{name}", act, told=told, partly=partly)
        except Struck as struck:
            reason = "sink-unreachable" if struck.kind == "cut" else struck.kind
            said = f"{self._server.name}: simulated {struck.kind}"
            raise Fault(reason, said, where=self._server.name) from None


class SimSink:
    """The simulated sink of a `ConfiguredSink`."""

    def __init__(self, server: SinkServer, points: Points) -> None:
        self.name = server.name
        self.commits = server.commits
        self._server = server
        self._points = points

    def start(self, origin: Origin) -> SimDelivery:
        try:
            self._points.call("sink.start", lambda: None, told=self.name)
        except Struck as struck:
            raise Fault(struck.kind, f"{self.name}: simulated", where=self.name) from None
        return SimDelivery(self._server, self._points, origin)

    def close(self) -> None:
        pass
