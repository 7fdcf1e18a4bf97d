"""Keys end in the middle of a run, the queue's and the bucket's apart: nothing is lost or doubled.

The source takes one role to its queue, and to its bucket another of another account. Both live for
seconds; the stubs of SQS and S3 refuse what has ended, as AWS does.
"""

import itertools
import json

import pytest

from tests.reliability.conftest import FLEET, world
from tests.reliability.world import BUCKET
from tests.support.issuers import ROLE, Keys, Sts

QUEUE_ROLE = ROLE.format("111122223333", "queue")
BUCKET_ROLE = ROLE.format("999988887777", "logs")
CREDENTIALS = f"""
[sources.prod.credentials]
kind = "assume-role"
role_arn = "{QUEUE_ROLE}"
external_id = "env:QUEUE_ID"
access_key_id = "env:WORLD_KEY"
secret_access_key = "env:WORLD_KEY"
[sources.prod.bucket_credentials."acme-*"]
kind = "assume-role"
role_arn = "{BUCKET_ROLE}"
external_id = "env:BUCKET_ID"
access_key_id = "env:WORLD_KEY"
secret_access_key = "env:WORLD_KEY"
"""
IDS = {"QUEUE_ID": "queue-id", "BUCKET_ID": "bucket-id"}
LIVES = 8  # seconds; renewed from two seconds before the end
BREAKER = f"bucket:prod:{BUCKET}"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("credentials")
    keys = Keys(LIVES)
    sts = Sts(keys)
    sts.external_ids = {QUEUE_ROLE: "queue-id", BUCKET_ROLE: "bucket-id"}
    with sts.server, world(folder, visibility=7200, credentials=CREDENTIALS) as made:
        made.sqs.refuses = keys.refuses(QUEUE_ROLE)
        made.s3.refuses = keys.refuses(BUCKET_ROLE)
        made.start(*FLEET, AWS_ENDPOINT_URL_STS=sts.url, **IDS)
        yield made, keys, sts


@pytest.fixture
def prefix(request):
    return "".join(letter for letter in request.node.name if letter.isalnum())[-8:]


class Load:
    """Messages sent as fast as they are carried, a few more than are in hand."""

    def __init__(self, world, prefix):
        self._world = world
        self._names = (f"{prefix}{at}" for at in itertools.count())
        self.messages = []

    def until(self, condition, what):
        def fed():
            if len(self._world.waiting()) < 8:
                names = [self._world.put(next(self._names)) for _ in range(3)]
                self.messages.append(self._world.announce(*names))
            return condition()

        self._world.until(fed, what)

    def carried_once(self):
        self._world.settled()
        self._world.check()
        names = {name for message in self.messages for name in self._world.announced[message]}
        assert self._world.repeated().isdisjoint(names)
        received = self._world.receives()
        assert {received[message] for message in self.messages} == {1}


def refused(keys):
    """How often each role's keys were refused by the queue or the bucket."""
    return {whose: times for whose, times in tuple(keys.used.items()) if whose[1]}


@pytest.mark.slow
def test_keys_are_renewed_under_load_before_they_end(running, prefix):
    world, keys, sts = running
    load = Load(world, prefix)
    before, asked = refused(keys), len(sts.asked)

    # three lives of each, in the worker that reads and in the one that receives and deletes
    ends = {role: keys.times(role) + 3 for role in (QUEUE_ROLE, BUCKET_ROLE)}
    load.until(lambda: all(keys.times(role) >= n for role, n in ends.items()), "keys are renewed")
    load.carried_once()

    assert refused(keys) == before
    assert len(load.messages) > 20
    assert len(sts.asked) - asked < 20  # some times in a life, and not with every request


@pytest.mark.parametrize("role", [QUEUE_ROLE, BUCKET_ROLE], ids=["queue", "bucket"])
def test_keys_that_are_revoked_under_load_are_replaced(running, prefix, role):
    world, keys, _ = running
    load = Load(world, prefix)
    load.until(lambda: len(load.messages) > 4, "some are under way")
    before = refused(keys).get((role, "ExpiredToken"), 0)

    def revoked():
        """Again until one is met: it may have been on the point of being renewed."""
        keys.end(role)
        return refused(keys).get((role, "ExpiredToken"), 0) > before

    load.until(revoked, "keys are refused")
    sent = len(load.messages)
    load.until(lambda: len(load.messages) > sent + 4, "more are carried with new ones")

    load.carried_once()


def test_a_bucket_role_that_is_taken_away_is_logged_as_an_error_and_all_waits_for_it(
    running, prefix
):
    world, keys, sts = running
    load = Load(world, prefix)
    load.until(lambda: len(load.messages) > 2, "some are under way")
    worker = world.processes["objects-1"]
    begin = len(worker.output)
    sts.external_ids[BUCKET_ROLE] = "another"
    keys.end(BUCKET_ROLE)

    def opened():
        return BREAKER in {each.name for each in world.ledger.breakers.list_open()}

    load.until(opened, "its breaker opens")
    (breaker,) = [each for each in world.ledger.breakers.list_open() if each.name == BREAKER]
    world.announce(world.put(f"{prefix}later"))
    world.until(lambda: world.ledger.room.count_in_hand()[1] > 0, "what waits for it is parked")
    sts.external_ids[BUCKET_ROLE] = "bucket-id"
    load.carried_once()

    assert breaker.reason == "bucket-credentials"
    assert f"sts:AssumeRole on {BUCKET_ROLE}" in breaker.text
    log = worker.output[begin:].splitlines()
    openings = [
        json.loads(line) for line in log if f'"{BREAKER}"' in line and "breaker_opened" in line
    ]
    assert [line["level"] for line in openings] == ["error"]
    world.until(lambda: not opened(), "its breaker closes")
