"""Each repair of the result backend, beside what Celery does without it."""

import threading
import uuid
from types import SimpleNamespace

import pytest
import redis
from celery import Celery
from celery.backends import redis as redis_backend
from celery.backends.redis import CHORD_PART_RETURN_LUA, RedisBackend

from tasks.backend import Backend
from tests.support.impaired import STATES
from trailcourier.host import child_process
from trailcourier.ledger import broker
from trailcourier.ledger.redis_client import FREES

STOCK, OURS = "celery.backends.redis.RedisBackend", "tasks.backend.Backend"


def fleet(running, backend):
    app = Celery("fleet", broker=running.url, backend=f"{backend}+{running.url}")
    app.conf.update(redis_socket_timeout=2, redis_socket_connect_timeout=2)
    return app


def header(app, group):
    """What a task of a chord's header is to the backend, the first of two."""
    body = app.signature("body", app=app)
    return SimpleNamespace(id=str(uuid.uuid4()), group=group, group_index=0, chord=body)


@pytest.fixture
def blip(own_broker):
    """Kill the broker, and start it again a moment later."""
    with broker.connect(own_broker.url) as client:
        client.set("loaded", "yes")
    timer = threading.Timer(1.5, own_broker.start)

    def begin():
        child_process.kill(own_broker.process)
        timer.start()

    yield begin
    timer.join(30)


def test_without_ours_a_chord_fails_on_one_blip_of_the_broker(own_broker, blip):
    app = fleet(own_broker, STOCK)
    app.backend.set_chord_size("g", 2)
    blip()

    with pytest.raises(redis.ConnectionError):
        app.backend.on_chord_part_return(header(app, "g"), "SUCCESS", "delivered")


def test_a_finished_forward_is_counted_when_the_broker_is_back(own_broker, blip):
    app = fleet(own_broker, OURS)
    app.backend.set_chord_size("g", 2)
    blip()

    app.backend.on_chord_part_return(header(app, "g"), "SUCCESS", "delivered")

    assert app.backend.client.zcard(app.backend.get_key_for_group("g", ".j")) == 1


def test_a_part_of_a_chord_counts_once_where_the_reply_was_lost(losing):
    """The call is made again by itself, and the body is published after the last part."""
    relay, url = losing
    app, group = fleet(SimpleNamespace(url=url), OURS), uuid.uuid4().hex
    app.backend.set_chord_size(group, 2)
    relay.loses = app.backend._pooled.register_script(FREES + CHORD_PART_RETURN_LUA).sha.encode()

    app.backend.on_chord_part_return(header(app, group), "SUCCESS", "delivered")

    counted = app.backend.client.zcard(app.backend.get_key_for_group(group, ".j"))
    assert (relay.loses, counted) == (b"", 1)


@pytest.fixture
def counting(shared_broker, monkeypatch):
    """A backend, how to make a header of its chord, and the chords whose body was published."""
    app, published = fleet(shared_broker, OURS), []

    @app.task(name="body")
    def body(*_):
        """Settle."""

    monkeypatch.setattr(body, "apply_async", lambda *_, **given: published.append(given["task_id"]))
    chord = body.s().set(task_id="settle")

    def part(group, at):
        return SimpleNamespace(id=f"{group}-{at}", group=group, group_index=at, chord=chord)

    yield app.backend, part, published
    app.backend.client.flushall()


def test_parts_of_several_chords_are_counted_together_and_each_body_published_once(counting):
    backend, part, published = counting
    backend.set_chord_size("one", 3)
    backend.set_chord_size("two", 1)

    backend.on_chord_part_return(part("one", 0), "SUCCESS", "by an older worker")
    backend.count_parts([(part("one", 1), "delivered"), (part("two", 0), "delivered")])
    after_two = len(published)
    backend.count_parts([(part("one", 2), "refused: corrupt")])
    backend.count_parts([(part("one", 2), "refused: corrupt")])  # its worker died before the ack

    assert (after_two, len(published)) == (1, 2)
    for group in ("one", "two"):
        for of in (".j", ".t", ".d"):  # of a published chord only that it is done is known
            assert not backend.client.exists(backend.get_key_for_group(group, of))


def test_two_copies_of_a_part_that_are_counted_together_count_once(counting):
    backend, part, published = counting
    backend.set_chord_size("one", 2)

    backend.count_parts([(part("one", 0), "delivered"), (part("one", 0), "pending")])

    assert published == []
    assert backend.client.zcard(backend.get_key_for_group("one", ".j")) == 1


def test_parts_count_once_where_the_reply_is_lost(losing):
    relay, url = losing
    app, group = fleet(SimpleNamespace(url=url), OURS), uuid.uuid4().hex
    app.backend.set_chord_size(group, 3)
    relay.loses = app.backend._count_parts_script.sha.encode()
    app.backend.client.script_load(app.backend._count_parts_script.script)
    headers = [header(app, group) for _ in range(2)]

    app.backend.count_parts([(each, "delivered") for each in headers])

    counted = app.backend.client.zcard(app.backend.get_key_for_group(group, ".j"))
    assert (relay.loses, counted) == (b"", 2)


@pytest.mark.parametrize(
    ("backend", "read"),
    [
        pytest.param(STOCK, [1, 2], id="celery: by each of its headers"),
        pytest.param(OURS, [0, 1], id="ours: by the last"),
    ],
)
def test_a_chords_body_is_read(shared_broker, monkeypatch, backend, read):
    app, found = fleet(shared_broker, backend), []
    monkeypatch.setattr(redis_backend, "maybe_signature", lambda body, app: found.append(body))
    monkeypatch.setattr(RedisBackend, "chord_error_from_stack", lambda *_: None)
    app.backend.set_chord_size(backend, 2)

    times = []
    for index in range(2):
        of = header(app, backend)
        of.group_index = index
        app.backend.on_chord_part_return(of, "SUCCESS", "delivered")
        times.append(len(found))

    assert times == read


def test_the_results_of_a_chord_are_read_while_the_brokers_memory_is_full(own_broker):
    """Celery reads them in a pipeline, and drops the chord if that fails."""
    app, stock = fleet(own_broker, OURS), fleet(own_broker, STOCK)
    app.backend.client.ping()

    with STATES["OOM"](own_broker):
        with app.backend.client.pipeline() as pipe:
            assert pipe.zrange("results", 0, -1).execute() == [[]]
        with pytest.raises(redis.RedisError), stock.backend.client.pipeline() as pipe:
            pipe.zrange("results", 0, -1).execute()


@pytest.mark.parametrize(
    ("backend", "subscribed"),
    [
        pytest.param(STOCK, 1, id="celery: to each task it sends"),
        pytest.param(OURS, 0, id="ours: to none"),
    ],
)
def test_who_sends_a_chord_subscribes_to_its_results(shared_broker, backend, subscribed):
    app = fleet(shared_broker, backend)
    with broker.connect(shared_broker.url) as client:
        result = app.send_task("forward", queue=f"to-{subscribed}")
        result.then(lambda _: None)

        channels = client.pubsub_channels(f"*{result.id}*")
        # else it happens whenever the result is collected, for 20 s if the broker is gone by then
        app.backend.remove_pending_result(result)

    assert len(channels) == subscribed


def test_ours_is_the_redis_backend_in_all_else():
    mine = {name for name in vars(Backend) if not name.startswith("__")} - {"_pooled"}
    mine -= {"count_parts", "_count_parts_script"}  # for several parts at once

    assert mine == {
        "on_chord_part_return",
        "on_task_call",
        "add_pending_result",
        "remove_pending_result",
        "_chord_publish_claim_expires",
        "_chord_cleanup_script",
        "_chord_part_return_script",
        "_get_pool",
        "client",
    }
    assert all(hasattr(RedisBackend, name) for name in mine)
