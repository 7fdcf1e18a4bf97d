"""One connection for each thread, and what ends a connection."""

import socket
import threading

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support import impaired, servers
from tests.support.redis_stub import redis_stub
from trailcourier.ledger import broker
from trailcourier.ledger.redis_client import Login
from trailcourier.ledger.redis_faults import CAUSES, Impaired
from trailcourier.secret import Secret


@pytest.fixture
def client(shared_broker):
    with broker.connect(shared_broker.url) as connected:
        yield connected


def of_a_thread(client):
    """Return the connection id of a new thread, which has ended when this returns."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(client.own.client_id()))
    thread.start()
    thread.join(10)
    return answers[0]


def test_a_thread_keeps_its_connection(client):
    first, second = client.own.client_id(), client.own.client_id()

    assert first == second


def test_threads_have_a_connection_each(client):
    ours, theirs = client.own.client_id(), of_a_thread(client)

    assert ours != theirs


def test_a_thread_that_ends_leaves_its_connection_to_others(client):
    left = of_a_thread(client)

    assert of_a_thread(client) == left


def test_a_thread_reconnects_after_its_connection_was_cut(client):
    cut = client.own.client_id()
    client.client_kill_filter(_id=cut)

    assert client.own.client_id() != cut


def test_closing_the_client_closes_the_connections_of_all_threads(shared_broker):
    with broker.connect(shared_broker.url) as client:
        kept = client.own.client_id()

    with broker.connect(shared_broker.url) as other:
        assert str(kept) not in {each["id"] for each in other.client_list()}


def once(url):
    """A client like the product's, but without retries."""
    client = broker.connect(url)
    client.set_retry(Retry(NoBackoff(), 0))
    return client


def unless_set(answer):
    """Answer every command but SET with OK."""
    return lambda name: b"-" + answer.encode() + b"\r\n" if name == "SET" else b"+OK\r\n"


@pytest.mark.parametrize("code", [*CAUSES])
def test_a_broker_that_cannot_serve_is_a_lost_connection(code):
    with redis_stub(unless_set(f"{code} it said")) as stub, once(stub.url) as client:
        client.get("key")
        before = stub.connections

        with pytest.raises(redis.ConnectionError, match="it said"):
            client.set("key", "value")
        client.get("key")

        assert (before, stub.connections) == (1, 2)


def test_commands_to_a_broker_that_cannot_serve_are_retried_with_backoff():
    answers = iter([b"-LOADING it said\r\n", b"-BUSY it said\r\n", b"+OK\r\n"])
    with (
        redis_stub(lambda name: next(answers) if name == "SET" else b"+OK\r\n") as stub,
        broker.connect(stub.url) as client,
    ):
        assert client.set("key", "value")


def test_an_error_about_the_request_costs_no_connection():
    with redis_stub(unless_set("WRONGTYPE it said")) as stub, once(stub.url) as client:
        for _ in range(2):
            with pytest.raises(redis.ResponseError, match="it said"):
                client.set("key", "value")

        assert stub.connections == 1


def test_commands_of_the_handshake_may_be_refused():
    """The ACL of docs/security.md does not allow CLIENT, with which redis-py names itself."""

    def answer(name):
        return b"-NOPERM it said\r\n" if name == "CLIENT" else b"+OK\r\n"

    with redis_stub(answer) as stub, once(stub.url) as client:
        assert client.set("key", "value")


def test_a_handshake_that_fails_is_a_lost_connection():
    def answer(name):
        return b"-NOPERM it said\r\n" if name == "SELECT" else b"+OK\r\n"

    with (
        redis_stub(answer) as stub,
        once(stub.url.replace("/0", "/1")) as client,
        pytest.raises(Impaired, match="it said"),
    ):
        client.get("key")


@pytest.fixture
def full():
    with servers.valkey() as running, impaired.full(running):
        yield running


@pytest.mark.parametrize("transaction", [True, False])
def test_an_error_reply_within_a_pipeline_counts_too(full, transaction):
    with once(full.url) as client:
        pipe = client.pipeline(transaction=transaction).get("a").set("a", 1).get("b")

        with pytest.raises(Impaired, match="OOM"):
            pipe.execute()

        assert client.get("a") is None  # and no reply of the pipeline's is left to be read


def test_an_error_reply_to_a_script_within_a_transaction_counts_too():
    exec_ = b"*2\r\n+OK\r\n-OOM it said. script: 49ee, on @user_script:1.\r\n"
    replies = {"MULTI": b"+OK\r\n", "EXEC": exec_}
    with (
        redis_stub(lambda name: replies.get(name, b"+QUEUED\r\n")) as stub,
        once(stub.url) as client,
    ):
        pipe = (
            client.pipeline(transaction=True)
            .set("a", 1)
            .eval("redis.call('SET', KEYS[1], 1)", 1, "x")
        )

        with pytest.raises(Impaired, match="it said"):
            pipe.execute()


def test_a_failover_is_followed_by_name(monkeypatch):
    """A thread's own connection would stay with the server that the name pointed to before."""
    with servers.valkey() as old, servers.valkey() as new:
        password, port = old.url.split(":")[2].split("@")[0], port_of(old)
        with impaired.administrator(new) as theirs:
            theirs.config_set("requirepass", password)
        points_to, resolve = [port], socket.getaddrinfo

        def resolving(host, number, *rest):
            named = host == "broker.example.net"
            return resolve("127.0.0.1", points_to[0] if named else number, *rest)

        monkeypatch.setattr(socket, "getaddrinfo", resolving)
        with broker.connect(f"redis://:{password}@broker.example.net:6379/0") as client:
            client.own.set("key", "before")
            with impaired.administrator(old) as failing:
                failing.replicaof("127.0.0.1", servers.free_port())
            points_to[0] = port_of(new)

            client.own.set("key", "after")

            assert client.get("key") == b"after"


def port_of(running):
    return int(running.url.rsplit(":", 1)[1].split("/")[0])


@pytest.fixture
def login(tmp_path):
    """A login whose URL is in a file, and a function that writes another URL."""
    file = tmp_path / "url"
    file.write_text("redis://:first@127.0.0.1/0")
    return Login(Secret(f"file:{file}").reveal), file.write_text


@pytest.mark.parametrize(
    ("url", "credentials"),
    [
        ("redis://:pass@127.0.0.1:6379/0", ("pass",)),
        ("rediss://fleet:p%2Fss@127.0.0.1:6379/0", ("fleet", "p/ss")),
        ("unix://:pass@/run/redis?db=0", ("pass",)),
        ("redis://127.0.0.1:6379/0", ()),
    ],
)
def test_a_login_reads_the_secret_each_time(login, url, credentials):
    its, write = login
    first = its.get_credentials()

    write(url)

    assert first == ("first",)
    assert its.get_credentials() == credentials


@pytest.mark.parametrize(
    ("text", "words"), [("", "is empty"), ("redis://[:hush@127.0.0.1", "is not a URL")]
)
def test_an_unusable_secret_is_an_authentication_error(login, text, words):
    its, write = login
    write(text)

    with pytest.raises(redis.AuthenticationError, match=words) as raised:
        its.get_credentials()

    assert "hush" not in str(raised.value)


def test_a_login_shows_nothing_of_itself(login):
    assert repr(login[0]) == "Login()"


def test_a_client_whose_login_is_rejected_reads_the_secret_again(shared_broker, login):
    its, write = login

    with broker.connect(shared_broker.url, login=its) as client:
        client.set_retry(Retry(Written(lambda: write(shared_broker.url)), 1))

        assert client.ping()


class Written(NoBackoff):
    """A backoff that writes a file meanwhile."""

    def __init__(self, write):
        super().__init__()
        self._write = write

    def compute(self, failures):
        self._write()
        return super().compute(failures)
