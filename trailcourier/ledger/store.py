"""One source's keys in Redis; ``schema.md`` describes each of them.

Times are Redis TIME in milliseconds, so the clocks of hosts need not agree.  No decision rests on a
key's TTL: a deadline is a value that scripts compare with NOW, and a TTL only removes what nobody
needs any more.  A client that lost a reply calls the script again, so every script may run twice
with the same token: it gives the same answer and counts once.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import redis

from trailcourier.clock import SYSTEM_CLOCK, Clock
from trailcourier.ledger.redis_client import Client
from trailcourier.ledger.script import Script
from trailcourier.models import Numbers, ObjectRef

FORMAT = 1

READ_CLOCK = Script("read_clock")


class Store:
    """One source's keys in Redis, and how its scripts are called.

    *everyone* begins the keys of the fleet, *own* those of this source.  *spans* is for how many
    periods of three days a delivered object is remembered.
    """

    def __init__(
        self,
        client: Client,
        source: str,
        numbers: Numbers,
        namespace: str = "trailcourier",
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.client: Any = client  # typed for str and bytes at once; here it answers bytes
        self.source = source
        self.numbers = numbers
        self.everyone = f"{namespace}:{FORMAT}:"
        self.own = f"{self.everyone}s:{source}:"
        self.spans = -(-numbers.marks_days // 3)
        self.token = clock.token

    def call(self, script: Script, *args: str | bytes | float) -> Any:
        """Run *script*; its text is sent only where Redis does not know it yet."""
        keys_and_args = (self.everyone, self.own, *args)
        try:
            return self.client.own.evalsha(script.sha, 2, *keys_and_args)
        except redis.exceptions.NoScriptError:
            return self.client.own.eval(script.text, 2, *keys_and_args)

    def call_all(self, script: Script, calls: Sequence[Sequence[str | bytes | float]]) -> list[Any]:
        """Run *script* once for each of *calls*, in one round trip; each must be idempotent.

        Raises the first error, after all have run.
        """
        if len(calls) == 1:
            return [self.call(script, *calls[0])]
        try:
            with self.client.own.pipeline() as pipe:
                for args in calls:
                    pipe.evalsha(script.sha, 2, self.everyone, self.own, *args)
                return list(pipe.execute())
        except redis.exceptions.NoScriptError:
            return [self.call(script, *args) for args in calls]

    def read_clock(self) -> int:
        """Read the ledger's clock, in milliseconds."""
        return int(self.call(READ_CLOCK))


def object_id(ref: ObjectRef) -> bytes:
    """Return the 12-byte name of an object within its source: bucket and key, not content."""
    named = f"{ref.bucket}\0{ref.key}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(named, digest_size=12).digest()


def content_digest(etag: str | None) -> bytes:
    """Return four bytes that stand for one content of an object; empty without an etag."""
    return hashlib.blake2b(etag.encode(), digest_size=4).digest() if etag else b""


def announced_content(ref: ObjectRef) -> bytes:
    """Return the digest of the content that a notification names by etag or version, if it does."""
    return content_digest(ref.etag or (ref.version and f"version:{ref.version}"))
