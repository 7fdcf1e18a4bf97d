"""Objects that a worker forwards together: what happens to one of them leaves the others alone."""

import asyncio
import threading
from collections.abc import Sequence

from tests.integration.line.conftest import BUCKET, World, expected, key, log_file, records
from tests.support.fleet import until
from trailcourier.ledger.script import Script
from trailcourier.line import read_ahead
from trailcourier.line.forward import Forwarded, ForwardTask, forward_objects
from trailcourier.line.process_limits import ProcessLimits
from trailcourier.line.work import Work

BROKEN = log_file(records(1))[:-9]


def announced(world: World, many: int) -> list[Work]:
    """Announce so many files in one message; the work that this gives."""
    world.announce(*(world.put(at) for at in range(many)))
    world.poll()
    work, world.work = world.work, []
    return work


def parts(world: World, works: Sequence[Work]) -> list[list[tuple[int, str]]]:
    """Forward *works* together; of each part that ended, the objects and how they ended."""
    tasks = [ForwardTask(work, f"task-{work.index}") for work in works]
    return [
        [(task.work.index, forwarded.text) for task, forwarded in part]
        for part in forward_objects(world.line, tasks)
    ]


def test_all_are_claimed_and_written_in_one_round_trip_each(world):
    works = announced(world, 6)
    store, sent = world.ledger.store, []
    call_all = store.call_all

    def noted(script: Script, calls: Sequence[Sequence[str | bytes | float]]) -> list[object]:
        sent.append((script.name, len(calls)))
        return call_all(script, calls)

    store.call_all = noted

    assert parts(world, works) == [[(at, "delivered") for at in range(6)]]
    assert sent == [("claim_object", 6), ("write_outcome", 6)]
    assert world.delivered() == expected(*range(6))
    assert store.client.zcard(f"{store.own}flight") == 0


def test_a_broken_one_is_refused_and_the_others_are_delivered(world):
    works = announced(world, 4)
    world.s3.put(BUCKET, key(1), BROKEN)

    ((*ended,),) = parts(world, works)

    assert [text for _, text in ended] == ["delivered", "refused: corrupt", *["delivered"] * 2]
    assert world.delivered() == expected(0, 2, 3)


def test_one_that_brings_out_a_bug_is_refused_or_tried_again_alone(make):
    def find(batch: Sequence[bytes]) -> list[str | None]:
        if any(b"2-0" in record for record in batch):
            raise RuntimeError("nobody foresaw this record")
        return [None] * len(batch)

    world = make(find_dropping_rules=find)

    ((*ended,),) = parts(world, announced(world, 4))

    assert [text for _, text in ended] == [
        "delivered", "delivered", "parked: internal", "delivered",
    ]  # fmt: skip
    assert world.delivered() == expected(0, 1, 3)


def test_one_that_is_not_there_is_parked_or_refused_alone(world):
    works = announced(world, 3)
    world.s3.fault(key(0), code="AccessDenied", times=-1)

    ((*ended,),) = parts(world, works)

    assert [text.partition(":")[0] for _, text in ended] == ["parked", "delivered", "delivered"]


def test_one_that_another_task_has_taken_over_is_left_to_it(make):
    def take_over(batch: Sequence[bytes]) -> list[None]:
        """While the first is delivered, the claim on the second ends, and another has it."""
        if b"0-0" in batch[0]:
            store, second = world.ledger.store, works[1]
            oid = store.client.hget(f"{store.own}m:{second.message}", "1:id")
            store.client.delete(f"{store.own}c:".encode() + oid)
            answer = world.ledger.claims.claim(
                second.message, 1, 1, token="other", task_id="other", sinks=world.line.sinks
            )
            assert answer.kind == "go"
        return [None] * len(batch)

    world = make(find_dropping_rules=take_over)
    works = announced(world, 3)

    ((*ended,),) = parts(world, works)

    assert ended == [(0, "delivered"), (1, "pending"), (2, "delivered")]


def test_a_large_one_is_delivered_after_the_small_ones_have_ended(world, monkeypatch):
    works = announced(world, 3)
    world.s3.put(BUCKET, key(0), log_file(records(0, count=400)))
    monkeypatch.setattr(read_ahead, "SMALL", 1000)

    small, large = parts(world, works)

    assert (small, large) == ([(1, "delivered"), (2, "delivered")], [(0, "delivered")])
    assert len(world.delivered()) == 406


def test_without_memory_for_all_the_others_wait_and_are_delivered_one_by_one(make):
    world = make(process=ProcessLimits(memory=6_000, claim=30, stall=300))
    works = announced(world, 5)

    ended = parts(world, works)

    assert len(ended) > 1
    assert sorted(each for part in ended for each in part) == [(at, "delivered") for at in range(5)]
    assert world.line.process.budget.take_now(6_000) == 6_000  # all of it was given back


def test_one_that_has_killed_its_worker_runs_after_the_others_and_alone(world):
    works = announced(world, 3)
    store = world.ledger.store
    oid = store.client.hget(f"{store.own}m:{works[1].message}", "1:id")
    store.client.hset(f"{store.own}o:".encode() + oid, "s", world.line.numbers.starts_alone)

    small, alone = parts(world, works)

    assert (small, alone) == ([(0, "delivered"), (2, "delivered")], [(1, "delivered")])


def test_two_copies_of_one_task_taken_together_are_one_delivery(world):
    (work,) = announced(world, 1)
    tasks = [ForwardTask(work, "task", at) for at in range(2)]

    ended = [each for part in forward_objects(world.line, tasks) for each in part]

    assert sorted((each.text, each.duplicate) for _, each in ended) == [
        ("delivered", False),
        ("pending", True),
    ]
    assert world.delivered() == expected(0)


def test_while_the_process_stops_none_is_begun(world):
    works = announced(world, 3)
    gate = world.line.process.gate
    with gate.alone() as inside:
        assert inside
        ended: list[list[tuple[ForwardTask, Forwarded]]] = []
        tasks = [ForwardTask(work, "task") for work in works]
        waiting = threading.Thread(target=lambda: ended.extend(forward_objects(world.line, tasks)))
        waiting.start()
        until(lambda: len(gate._turns))
        world.line.process.stopping.set()
        waiting.join(10)

    assert [[each.text for _, each in part] for part in ended] == [["pending: stopping"] * 3]


def test_reads_of_a_group_are_under_way_at_the_same_time(world):
    works = announced(world, 4)
    gate = asyncio.Event()
    for work in works:
        world.s3.fault(work.name.partition(f"{BUCKET}/")[2], gate=gate, times=1)

    ended: list[list[tuple[int, str]]] = []
    forwarding = threading.Thread(target=lambda: ended.extend(parts(world, works)))
    forwarding.start()
    try:
        until(lambda: sum(world.s3.reads().values()) == 4)
    finally:
        world.s3.server.call(gate.set)
    forwarding.join(10)

    assert ended == [[(at, "delivered") for at in range(4)]]
