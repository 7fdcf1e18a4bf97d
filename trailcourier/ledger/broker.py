"""The connection to the broker, and what it must provide."""

from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import redis
from msgspec import Meta

from trailcourier.errors import ConfigError, Unreachable
from trailcourier.ledger import redis_faults
from trailcourier.ledger.redis_client import Client, Login, retry_policy

CONNECT_SECONDS = 3
ANSWER_SECONDS = 10


class BrokerMemory(msgspec.Struct, frozen=True):
    """The memory of the broker."""

    used_bytes: Annotated[int, Meta(description="memory that it uses")]
    most_bytes: Annotated[
        int | None, Meta(description="the most it may use, `maxmemory`; null without a limit")
    ] = None

    @property
    def share(self) -> float:
        """The share of its memory that it uses; 0 without a limit."""
        return self.used_bytes / self.most_bytes if self.most_bytes else 0.0


def connect(url: str, *, ca_file: str | None = None, login: Login | None = None) -> Client:
    """Make a client of the broker at *url*, which may hold a password; sends nothing yet.

    *ca_file* is a PEM file to trust with ``rediss``.  *login*, if given, is asked for the password
    each time a connection is made.  Raises ConfigError if *url* is not a Redis URL.
    """
    by_socket = url.startswith(("unix:", "redis+socket:"))
    options: dict[str, Any] = {} if by_socket else {"socket_keepalive": True}
    if ca_file and url.startswith("rediss:"):
        options["ssl_ca_certs"] = ca_file
    try:
        return Client.at(
            url.replace("redis+socket:", "unix:", 1).replace("virtual_host=", "db="),
            login,
            decode_responses=False,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            health_check_interval=30,
            retry=retry_policy(),
            **options,
        )
    except (ValueError, TypeError):  # its text may quote a part of the password
        problem = (
            f"broker: {mask_password(url)} is not a Redis URL. Write "
            "redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS; percent-encode / # ? @ : in the "
            "password."
        )
        raise ConfigError([problem]) from None


def mask_password(url: str) -> str:
    """Return *url* with *** for the password."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the configured URL"
    user = f"{parts.username or ''}:***@" if parts.password else ""
    shown = f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"
    return shown if parts.scheme else "the configured URL"


def check_requirements(client: redis.Redis, *, noeviction: bool) -> None:
    """Raise Unreachable or ConfigError (with every problem) unless the broker is usable.

    It must be one server, not a cluster, and with *noeviction* never drop keys by itself.  A
    replica raises Unreachable, not ConfigError: after a failover the host name points to one only
    until it is updated.
    """
    try:
        policy = _policy(client, info := client.info())
    except redis.RedisError as error:
        raise unreachable(client, error) from error
    problems = list(redis_faults.unsupported_modes(info))
    if noeviction and policy != "noeviction":
        problems.append(
            f"maxmemory-policy is {policy}, so it may drop what is not yet delivered. Set it to "
            "noeviction, or set `require_noeviction = false` under [broker] to accept that."
        )
    where = f"broker {_address(client)}"
    if problems:
        raise ConfigError([f"{where}: {problem}" for problem in problems])
    if info.get("role") == "slave":
        raise Unreachable(f"{where}: {redis_faults.cause_in_info(info)}")


def describe_trouble(client: redis.Redis) -> str:
    """Say why the broker does not answer or takes no writes, and what to do; empty if it does."""
    try:
        cause = redis_faults.cause_in_info(client.info())
    except redis.RedisError as error:
        return str(unreachable(client, error))
    return f"broker {_address(client)}: {cause}" if cause else ""


def read_memory(client: redis.Redis) -> BrokerMemory:
    """Read how much memory the broker uses; raises redis.RedisError."""
    info: dict[str, Any] = client.info("memory")
    return BrokerMemory(int(info.get("used_memory", 0)), int(info.get("maxmemory", 0)) or None)


def unreachable(client: redis.Redis, error: redis.RedisError) -> Unreachable:
    """Return Unreachable that says which broker, what *error* means, and what to do."""
    return Unreachable(f"broker {_address(client)}: {_failure(client, error)}")


def _policy(client: redis.Redis, info: dict[str, Any]) -> str:
    """Return maxmemory-policy, from INFO where possible: managed services refuse CONFIG."""
    if "maxmemory_policy" in info:
        return str(info["maxmemory_policy"])
    try:
        return str(client.config_get("maxmemory-policy").get("maxmemory-policy", "unknown"))
    except redis.ResponseError:
        return "unknown (INFO does not say it and CONFIG GET is refused)"


def _address(client: redis.Redis) -> str:
    """Return the client's server as HOST:PORT/DB, or as unix://PATH."""
    known = client.connection_pool.connection_kwargs
    if path := known.get("path"):
        return f"unix://{path}"
    return f"{known.get('host', 'localhost')}:{known.get('port', 6379)}/{known.get('db', 0)}"


def _failure(client: redis.Redis, error: redis.RedisError) -> str:
    """Say what *error* means and what to do, without the password."""
    password = client.connection_pool.connection_kwargs.get("password")
    words = str(error).replace(str(password), "***") if password else str(error)
    if cause := redis_faults.cause_of_error(error):
        text = words if isinstance(error, redis_faults.Impaired) else f"{cause.text} ({words})"
        return f"{text}. {cause.fix}"
    match error:
        case redis.TimeoutError():
            return f"no answer within {ANSWER_SECONDS} s ({words}). Check host, port and firewall."
        case redis.ConnectionError():
            return (
                f"no connection ({words}). Check that it runs, its host, port, and TLS (rediss://)."
            )
        case _:
            return f"it answered with an error: {words}. See its log."
