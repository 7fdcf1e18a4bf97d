"""How a process speaks to the broker: through a pool, or each thread through its own connection."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.connection import AbstractConnection, parse_url
from redis.retry import Retry

from trailcourier.errors import ConfigError
from trailcourier.impairment import impaired

CONNECTIONS = 1024  # of a process, at most; redis-py's own limit is 100, and threads may be 256


FREES = "redis.call('DEL', KEYS[1] .. 'nothing')\n"
"""Begins a script that a full broker runs all the same.

Redis refuses a command that needs memory only while its script has written nothing, so as not to
stop it half-way, and to delete what is not there counts.  The flag ``allow-oom`` would say the
same; Redis 6 does not know it.  This is for what ends work in hand: the memory that it needs is
bounded and soon free again.  What begins work is refused.  A script of the ledger includes
``frees``, which is this line; ``ledger/schema.md`` says which do, and why.
"""


class Login(redis.CredentialProvider):
    """User and password as *url* gives them when a connection is made.

    A secret's file may have been rotated since the process started.  A connection whose login was
    not accepted is made again, and so reads it again.
    """

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Return them as redis-py wants them; raises redis.AuthenticationError without a URL."""
        try:
            parts = urlsplit(self._url())
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
        except ConfigError as error:
            raise redis.AuthenticationError(str(error)) from error
        except ValueError:  # its words quote a part of the password
            raise redis.AuthenticationError("the secret of the broker is no URL") from None
        none = cast("tuple[str]", ())  # which redis-py takes for no login
        return (user, password) if user else (password,) if password else none

    def __repr__(self) -> str:
        return "Login()"

    def __json__(self) -> str:
        """Let kombu write down transport options: a worker's ``stats`` has them, for Flower."""
        return repr(self)


class _Lasting(AbstractConnection):
    """A connection for which a broker that cannot serve is one that was lost.

    redis-py, kombu and Celery take most such answers for errors of the request.
    """

    _begins = False

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """Begin a session; redis-py asks some of it only to see whether it is allowed."""
        self._begins = True
        try:
            super().on_connect_check_health(check_health=check_health)
        except redis.ResponseError as error:
            self._give_up(error)
            raise
        finally:
            self._begins = False

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            response: Any = super().read_response(*args, **kwargs)
        except redis.ResponseError as error:
            if not self._begins:
                self._give_up(error)
            raise
        if type(response) is list:  # EXEC answers what each command of a transaction came to
            for each in response:
                if isinstance(each, redis.ResponseError):
                    self._give_up(each)
        return response

    def _give_up(self, error: redis.ResponseError) -> None:
        """Drop the connection, so that a name that points elsewhere now is looked up again."""
        if lost := impaired(error):
            self.disconnect()  # type: ignore[no-untyped-call]
            raise lost from error


def patience() -> Retry:
    """Return how often, and after how long, a command whose connection was lost is sent again."""
    return Retry(ExponentialWithJitterBackoff(base=0.1, cap=1), 2)


def options(given: Mapping[str, Any], login: Login | None = None) -> dict[str, Any]:
    """Return *given* options of a pool for connections that last; *login* gives theirs, if any.

    The one door: the pools of the ledger, of kombu's channels and of Celery's result backend.
    Which library speaks is not said: a broker's user who may not say it would fill the ACL's log.
    """
    kind = given.get("connection_class") or redis.Connection
    mine = {**given, "connection_class": type(kind.__name__, (_Lasting, kind), {})}
    mine["driver_info"] = None
    if login is not None:
        mine |= {"username": None, "password": None, "credential_provider": login}
    return mine


class Client(redis.Redis):
    """A client that also keeps a connection for each thread that wants one.

    A pool looks whether a connection still stands each time it hands it out: a fifth of the CPU of
    a short script.  A thread's own is found broken, and made anew, by the command that meets it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._threads = threading.local()

    @classmethod
    def at(cls, url: str, login: Login | None = None, **given: Any) -> "Client":
        """A client with a pool of its own; raises ValueError or TypeError if *url* is none."""
        parse: Any = parse_url  # untyped
        named = {"max_connections": CONNECTIONS} | given | parse(url)
        return cast("Client", cls.from_pool(redis.ConnectionPool(**options(named, login))))

    @property
    def own(self) -> redis.Redis:
        """This thread's client, of one connection, which goes back to the pool with the thread."""
        client: redis.Redis | None = getattr(self._threads, "client", None)
        if client is None:
            client = redis.Redis(
                connection_pool=self.connection_pool, single_connection_client=True
            )
            self._threads.client = client
        return client
