"""Several processes, each with a Valkey of its own, that take from one list of work.

Each is bound to one core together with its Valkey: they act by turns, and a turn that wakes
another core takes longer.
"""

import multiprocessing
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")
SECONDS = 60  # that a process may take to end


class Taken(Protocol):
    """How many of all were taken, which the processes share; a ``multiprocessing.Value``."""

    value: int

    def get_lock(self) -> Any: ...


def side_by_side(
    act: Callable[[Iterable[T]], Iterator[R]], work: Sequence[T], jobs: int
) -> Generator[R, None, None]:
    """What *act* answers to all of *work*, in *jobs* processes; raises if one of them dies.

    Whoever closes this iterator early waits for what the processes have in hand.
    """
    context = multiprocessing.get_context("spawn")
    taken: Taken = context.Value("q", 0)
    pairs = [context.Pipe(duplex=False) for _ in range(jobs)]
    processes = [
        context.Process(target=_job, args=(act, work, taken, tells, number), daemon=True)
        for number, (_, tells) in enumerate(pairs)
    ]
    for process, (_, tells) in zip(processes, pairs, strict=True):
        process.start()
        tells.close()
    try:
        yield from _told([told for told, _ in pairs])
    finally:
        with taken.get_lock():
            taken.value = len(work)
        for told, _ in pairs:
            told.close()
        for process in processes:
            process.join(SECONDS)
            process.kill()
    if any(process.exitcode for process in processes):
        raise RuntimeError(f"a process died: {[process.exitcode for process in processes]}")


def _told(open_ones: list[Connection]) -> Iterator[Any]:
    """What comes, until all processes have closed their ends."""
    while open_ones:
        for told in wait(open_ones):
            assert isinstance(told, Connection)
            try:
                yield told.recv()
            except EOFError:
                open_ones.remove(told)


def _job(
    act: Callable[[Iterable[Any]], Iterator[Any]], work: Sequence[Any], taken: Taken,
    tells: Connection, number: int,
) -> None:  # fmt: skip
    bind(number)

    def mine() -> Iterator[Any]:
        while True:
            with taken.get_lock():
                at = taken.value
                if at >= len(work):
                    return
                taken.value = at + 1
            yield work[at]

    for result in act(mine()):
        try:
            tells.send(result)
        except BrokenPipeError:  # nobody wants more
            return


def bind(number: int) -> None:
    """Keep this process, and those that it starts, on one of the cores it may use."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})
