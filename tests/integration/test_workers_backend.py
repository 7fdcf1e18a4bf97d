"""Each repair of the result backend, beside what Celery does without it."""

import threading
import uuid
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import redis
from celery import Celery
from celery.backends import redis as redis_backend
from celery.backends.redis import CHORD_PART_RETURN_LUA, RedisBackend

from tasks.backend import Backend
from tests.support.impaired import STATES
from tests.support.relay import LosingRelay
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


def test_a_part_of_a_chord_counts_once_where_the_reply_was_lost(shared_broker):
    """The call is made again by itself, and the body is published after the last part."""
    parts = urlsplit(shared_broker.url)
    relay = LosingRelay(parts.port, None, 0.0)
    through = SimpleNamespace(url=shared_broker.url.replace(f":{parts.port}", f":{relay.port}"))
    app, group = fleet(through, OURS), uuid.uuid4().hex
    app.backend.set_chord_size(group, 2)
    relay.loses = app.backend._pooled.register_script(FREES + CHORD_PART_RETURN_LUA).sha.encode()

    app.backend.on_chord_part_return(header(app, group), "SUCCESS", "delivered")

    counted = app.backend.client.zcard(app.backend.get_key_for_group(group, ".j"))
    relay.close()
    assert (relay.loses, counted) == (b"", 1)


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
