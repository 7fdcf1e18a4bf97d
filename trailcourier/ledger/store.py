"""One source's corner of one Redis; ``schema.md`` says what is kept there, key by key.

Times are Redis TIME in milliseconds, so hosts need not agree.  No decision rests on the life of a
key: a deadline is a value that scripts compare with NOW, and a key's own life only removes what
nobody needs any more.  A client whose answer was lost asks again, so every script may run twice
with the same token, answers the same, and counts once.
"""

import hashlib
from typing import Any

import redis

from trailcourier.client import Client
from trailcourier.clock import SYSTEM_CLOCK, Clock
from trailcourier.ledger.script import Script
from trailcourier.models import Numbers, ObjectRef

FORMAT = 1


class Store:
    """One source's corner of one Redis."""

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
        """Run *script*; Redis is sent its text only where it does not know it yet."""
        keys_and_args = (self.everyone, self.own, *args)
        try:
            return self.client.own.evalsha(script.sha, 2, *keys_and_args)
        except redis.exceptions.NoScriptError:
            return self.client.own.eval(script.text, 2, *keys_and_args)


def object_id(ref: ObjectRef) -> bytes:
    """The 12-byte name of an object within its source: bucket and key, not content."""
    named = f"{ref.bucket}\0{ref.key}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(named, digest_size=12).digest()


def content_digest(etag: str | None) -> bytes:
    """Four bytes for one content of an object; empty where the notice names none."""
    return hashlib.blake2b(etag.encode(), digest_size=4).digest() if etag else b""


def announced_content(ref: ObjectRef) -> bytes:
    """The digest of the content a notice names: its etag, else its version, else none."""
    return content_digest(ref.etag or (ref.version and f"version:{ref.version}"))
