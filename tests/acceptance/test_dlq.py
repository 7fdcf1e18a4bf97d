"""A dead letter's way back, as an operator goes it: repair, redrive, and the records are there."""

import json

import pytest

from tests.support.announcements import BUCKET, KEY, own
from tests.support.host import counted, log_file, record


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_was_repaired_is_delivered_after_a_redrive(host):
    sound = [record(f"r{at}") for at in range(3)]
    host.s3.put(BUCKET, KEY, log_file(sound)[:-9])
    host.sqs.send("trail", own(KEY))
    host.run("run", "--drain", seconds=180)
    host.sqs.server.call(_die, host.sqs)

    listed = host.run("dlq", "list", "--json")
    host.s3.put(BUCKET, KEY, log_file(sound))
    moved = host.run("dlq", "redrive", "--yes", "--json")
    drained = host.run("run", "--drain", "--json", seconds=180)

    (prod,) = json.loads(listed.out)["sources"]
    assert (prod["waiting"], [each["reason"] for each in prod["messages"]]) == (1, ["corrupt"])
    (redriven,) = json.loads(moved.out)["sources"]
    assert (redriven["moved"], redriven["way"]) == (1, "move-task")
    assert (listed.code, moved.code, drained.code) == (0, 0, 0), drained.err
    assert host.arrived() == counted(sound)
    assert host.sqs.bodies("trail") == host.sqs.bodies("dead") == []


def _die(sqs):
    """Let the message be received until it moves, as it would be within hours."""
    sqs._advance(43_200)
    queue = sqs.queues["trail"]
    while queue.held:
        queue.receive(10, 0)
