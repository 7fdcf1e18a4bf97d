"""What is measured, and in which order: rounds in which each contender has one turn."""

import contextlib
from collections.abc import Callable, Mapping

import msgspec

from bench import latency, processes
from bench.contenders import Contender, contender
from bench.empty_task import EmptyTaskWorker, empty_task_worker
from bench.services import Services, services
from bench.turns import Turn, empty_outputs, run_turn

SIZES = (20, 200, 2000)  # events in a file
SMALL_RECEIVES = (1, 2, 3)  # messages a receive returns when a queue is nearly empty, in turn


class Plan(msgspec.Struct, frozen=True):
    """How much is measured.

    *files* are those of each size in a turn, *small_receive_files* those of a turn of small
    receives, *worker_files* those of a turn of one and of two object workers.  *warm_up_files* are
    forwarded before everything else, and *total_files* by the same object worker in the end; the
    growth of its memory is measured between the two.  *paced_seconds* is how long latency is
    measured, *stub_messages* with how many messages the SQS stub's own rate is.
    """

    rounds: int = 5
    empty_tasks: int = 2000
    files: tuple[int, ...] = (1000, 600, 150)
    small_receive_files: int = 500
    worker_files: int = 600
    worker_rounds: int = 3
    paced_seconds: float = 62
    warm_up_files: int = 2000
    total_files: int = 20_000
    stub_messages: int = 50_000


QUICK = Plan(
    rounds=1,
    empty_tasks=200,
    files=(150, 90, 72),
    small_receive_files=90,
    worker_files=150,
    worker_rounds=1,
    paced_seconds=4,
    warm_up_files=150,
    total_files=900,
    stub_messages=10_000,
)


class Memory(msgspec.Struct, frozen=True):
    """The resident memory of an object worker, in MiB, after it has forwarded *files* files."""

    files: int
    mib: float


class Measurements(msgspec.Struct, frozen=True):
    """All measurements.

    *stub_rate* is how many messages a second the SQS stub alone serves, *broker* the broker's name
    and version.  *turns* are by contender and events a file, such as ``line 20``.  *latencies* are
    seconds, ascending, while *pace* files a second were announced.  *empty_task_ms* are the CPU
    milliseconds of an empty task in each round of the smallest files.
    """

    stub_rate: float
    broker: str
    turns: dict[str, list[Turn]]
    pace: float
    latencies: list[float]
    memory: tuple[Memory, Memory]
    empty_task_ms: list[float]


Report = Callable[[str], None]


class Rounds:
    """Runs turns, and reports and keeps their results."""

    def __init__(self, running: Services, report: Report) -> None:
        self.turns: dict[str, list[Turn]] = {}
        self.empty_task_ms: list[float] = []
        self._services = running
        self._report = report

    def run(self, events: int, files: int, contenders: Mapping[str, Contender]) -> None:
        """Run one turn of each contender."""
        for name, each in contenders.items():
            turn = run_turn(
                each, events=events, messages=files, service_cpu=self._services.cpu_seconds
            )
            self.turns.setdefault(f"{name} {events}", []).append(turn)
            self._report(
                f"{name}, {events} events a file: {turn.ms:.2f} ms of CPU an object, "
                f"{turn.rate:.0f} objects a second"
            )


def measure_all(plan: Plan, report: Report) -> Measurements:
    """Measure everything; *report* gets each result when it is known."""
    with services(SIZES, plan.stub_messages) as running:
        report(f"the SQS stub alone: {running.stub_rate:,.0f} messages a second")
        rounds = Rounds(running, report)
        with contextlib.ExitStack() as stack:
            names = ("line", "bare", "stock", "events")
            contenders = {
                name: stack.enter_context(
                    contender(running.endpoints, name, events=name == "events")
                )
                for name in names
            }
            line = contenders["line"]
            _warm_up(
                20,
                {each: plan.warm_up_files if each is line else 100 for each in contenders.values()},
            )
            first = _memory(line)
            with empty_task_worker(running.endpoints.broker) as worker:
                _measure_smallest(plan, rounds, contenders, worker)
            for name in ("stock", "events"):
                contenders.pop(name).close()
            pace, latencies = _measure_latencies(plan, rounds, line, report)
            _forward(line, plan.total_files - line.deleted)
            last = _memory(line)
            _measure_larger(plan, rounds, contenders)
        _measure_workers(plan, rounds, running)
        return Measurements(
            running.stub_rate,
            running.broker,
            rounds.turns,
            pace,
            latencies,
            (first, last),
            rounds.empty_task_ms,
        )


def _measure_smallest(
    plan: Plan, rounds: Rounds, contenders: Mapping[str, Contender], worker: EmptyTaskWorker
) -> None:
    """Files of 20 events: a turn of each contender, and one of the line with small receives."""
    line = contenders["line"]
    for _ in range(plan.rounds):
        rounds.run(20, plan.files[0], contenders)
        rounds.empty_task_ms.append(worker.measure_ms(plan.empty_tasks))
        line.queue.set_receive_sizes(*SMALL_RECEIVES)
        rounds.run(20, plan.small_receive_files, {"few": line})
        line.queue.set_receive_sizes(10)


def _measure_latencies(
    plan: Plan, rounds: Rounds, line: Contender, report: Report
) -> tuple[float, list[float]]:
    """Measure latencies at half the line's rate; return that pace and the latencies."""
    turns = rounds.turns["line 20"]
    pace = sum(turn.rate for turn in turns) / len(turns) / 2
    report(f"announcing {pace:.0f} files a second, one by one, for {plan.paced_seconds:.0f} s")
    seconds = plan.paced_seconds
    return pace, latency.measure_latencies(line, events=20, rate=pace, seconds=seconds)


def _measure_larger(plan: Plan, rounds: Rounds, contenders: Mapping[str, Contender]) -> None:
    """Larger files: the line and the bare loop."""
    for events, files in zip(SIZES[1:], plan.files[1:], strict=True):
        _warm_up(events, dict.fromkeys(contenders.values(), 20))
        for _ in range(plan.rounds):
            rounds.run(events, files, contenders)


def _measure_workers(plan: Plan, rounds: Rounds, running: Services) -> None:
    """One object worker and two, four threads each, with a bucket across a network."""
    with contextlib.ExitStack() as stack:
        contenders = {
            name: stack.enter_context(contender(running.slow, name, threads=4, objects=objects))
            for name, objects in (("one", 1), ("two", 2))
        }
        _warm_up(20, dict.fromkeys(contenders.values(), 100))
        for _ in range(plan.worker_rounds):
            rounds.run(20, plan.worker_files, contenders)


def _warm_up(events: int, files: Mapping[Contender, int]) -> None:
    """Let each contender forward some files before it is measured."""
    ends = {each: each.queue.put(events, count)["deleted"] + count for each, count in files.items()}
    for each, end in ends.items():
        each.await_deleted(end)
        empty_outputs(each)


def _forward(contender: Contender, files: int) -> None:
    if files > 0:
        contender.await_deleted(contender.queue.put(20, files)["deleted"] + files, seconds=300)
        empty_outputs(contender)


def _memory(contender: Contender) -> Memory:
    return Memory(contender.deleted, processes.resident_mib(contender.pids("objects")[0]))
