"""How a process speaks to the broker: through a pool, or each thread through its own connection."""

import threading
from typing import Any, cast

import redis

CONNECTIONS = 1024  # of a process, at most; redis-py's own limit is 100, and threads may be 256


class Client(redis.Redis):
    """A client that also keeps a connection for each thread that wants one.

    A pool looks whether a connection still stands each time it hands it out: a fifth of the CPU of
    a short script.  A thread's own is found broken, and made anew, by the command that meets it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._threads = threading.local()

    @classmethod
    def at(cls, url: str, **options: Any) -> "Client":
        """A client with a pool of its own; raises ValueError or TypeError if *url* is none."""
        client = cls.from_url(url, max_connections=CONNECTIONS, **options)
        return cast("Client", client)  # which redis-py types as its own class

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
