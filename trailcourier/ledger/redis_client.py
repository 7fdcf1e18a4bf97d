"""The Redis client: connections from a pool, or one connection for each thread."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.connection import AbstractConnection, parse_url
from redis.retry import Retry

from trailcourier.errors import ConfigError
from trailcourier.ledger.redis_faults import as_impaired

CONNECTIONS = 1024  # of one process, at most; redis-py's limit is 100, and threads may be 256

FREES = "redis.call('DEL', KEYS[1] .. 'nothing')\n"
"""The first line of a script that must run although the broker's memory is full.

Redis refuses a command that needs memory only while its script has written nothing, so as not to
stop a script half-way, and deleting a key that does not exist counts as a write.  The flag
``allow-oom`` has the same effect, but Redis 6 does not know it.  Scripts that end work in hand
begin with this line: the memory they need is bounded and soon free again.  Scripts that begin work
do not, and are refused.  A script of the ledger includes ``runs_when_full``, which is this line;
``ledger/schema.md`` says which scripts do, and why.
"""


class Login(redis.CredentialProvider):
    """User and password, read from *url* each time a connection is made.

    A secret's file may have been rotated since the process started.  When the broker rejects the
    login, the connection is made again, and so the secret is read again.
    """

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Return (user, password) or (password,); raises redis.AuthenticationError."""
        try:
            parts = urlsplit(self._url())
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
        except ConfigError as error:
            raise redis.AuthenticationError(str(error)) from error
        except ValueError:  # its text quotes a part of the password
            text = "the secret in broker.url is not a URL; expected redis://:PASSWORD@HOST:6379/0"
            raise redis.AuthenticationError(text) from None
        none = cast("tuple[str]", ())  # redis-py sends no login
        return (user, password) if user else (password,) if password else none

    def __repr__(self) -> str:
        return "Login()"

    def __json__(self) -> str:
        """Let kombu encode transport options, which a worker's ``stats`` shows in Flower."""
        return repr(self)


class _ReconnectingConnection(AbstractConnection):
    """A connection that treats a broker which cannot serve like a lost connection.

    redis-py, kombu and Celery treat most such replies as errors of the request.
    """

    _handshaking = False

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """Do the handshake; redis-py sends some of its commands only to see if they are allowed."""
        self._handshaking = True
        try:
            super().on_connect_check_health(check_health=check_health)
        except redis.ResponseError as error:
            self._raise_if_impaired(error)
            raise
        finally:
            self._handshaking = False

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            response: Any = super().read_response(*args, **kwargs)
        except redis.ResponseError as error:
            if not self._handshaking:
                self._raise_if_impaired(error)
            raise
        if type(response) is list:  # EXEC replies with the result of each command of a transaction
            for each in response:
                if isinstance(each, redis.ResponseError):
                    self._raise_if_impaired(each)
        return response

    def _raise_if_impaired(self, error: redis.ResponseError) -> None:
        """Disconnect and raise Impaired if the broker cannot serve.

        The next connection looks the host name up again: it may point to another server by then.
        """
        if lost := as_impaired(error):
            self.disconnect()  # type: ignore[no-untyped-call]
            raise lost from error


def retry_policy() -> Retry:
    """Return how often, and after what backoff, redis-py retries after a lost connection."""
    return Retry(ExponentialWithJitterBackoff(base=0.1, cap=1), 2)


def connection_options(given: Mapping[str, Any], login: Login | None = None) -> dict[str, Any]:
    """Return pool options for connections that reconnect; *login* gives their password, if any.

    All pools use it: the ledger's, those of kombu's channels and of Celery's result backend.
    ``driver_info`` is off, because a user who may not send CLIENT SETINFO would fill the ACL log.
    """
    kind = given.get("connection_class") or redis.Connection
    changed = {
        **given,
        "connection_class": type(kind.__name__, (_ReconnectingConnection, kind), {}),
    }
    changed["driver_info"] = None
    if login is not None:
        changed |= {"username": None, "password": None, "credential_provider": login}
    return changed


class ClientWithoutMulti(redis.Redis):
    """A client whose pipelines are not transactions unless asked to be.

    A full Redis 7 or Valkey refuses every command within MULTI, reads too: Celery, which reads the
    results of a chord in a pipeline, would lose the chord.
    """

    def pipeline(self, transaction: Any = False, shard_hint: Any = None) -> Any:
        return super().pipeline(transaction, shard_hint)


class Client(ClientWithoutMulti):
    """A client that also keeps one connection for each thread that asks for one.

    A pool checks each connection it hands out, which takes a fifth of the CPU of a short script.
    A thread's own connection is not checked: the command that finds it broken reconnects.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._threads = threading.local()

    @classmethod
    def at(cls, url: str, login: Login | None = None, **given: Any) -> "Client":
        """Make a client with its own pool; raises ValueError or TypeError for an invalid *url*."""
        parse: Any = parse_url  # untyped
        named = {"max_connections": CONNECTIONS} | given | parse(url)
        return cast(
            "Client", cls.from_pool(redis.ConnectionPool(**connection_options(named, login)))
        )

    @property
    def own(self) -> redis.Redis:
        """This thread's client, with one connection; the pool gets it back when the thread ends."""
        client: redis.Redis | None = getattr(self._threads, "client", None)
        if client is None:
            client = ClientWithoutMulti(
                connection_pool=self.connection_pool, single_connection_client=True
            )
            self._threads.client = client
        return client
