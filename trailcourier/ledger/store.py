"""The ledger's footing: one Redis, one source's keys, and the Lua every script begins with.

Keys, all under ``<namespace>:1:`` (1 is the format; another format is another ledger):

====================  ====================================================================
``clock``             the ledger's time in milliseconds; only tests set it
``offset``            milliseconds added to Redis TIME; only tests set it
``high``              dispatch time of the latest forward ever claimed: what lies 30 s below is lost
``workers``           hash: the processes of the fleet, when each was last heard of; see workers.py
``seen``              hash: when a process of each role was last heard of, and any forward moved
``b:<breaker>``       hash: open, probe, prober, probes, left, reason, text; ``:f`` zset of
                      failures by time
``open``              set: the breakers that are open
``failing``           set: those that are open, or count a failure since the last success
``ok``                hash: when each breaker last saw a success
``closed``            hash: when each breaker last closed
``here:<host>``       set: what fails on that host, as breakers ``name@host``
``s:<source>:m:<id>`` hash: one lease, one message; see leases.py
``s:<source>:o:<oid>`` hash: starts, tries and progress of one object not yet done
``s:<source>:c:<oid>`` string: ``until|token|task id`` of a claim; ``0|token|answer`` once it has
                      ended, so that the same question gets the same answer
``s:<source>:d:...``  hashes: marks of delivered objects; see marks in PRELUDE
``s:<source>:flight`` zset: ``<message>/<index>`` by dispatch time
``s:<source>:parked`` zset: the same by due time; see parked.py
``s:<source>:p:<scope>`` zset: those of them that wait for one breaker, or for none
``s:<source>:scopes`` set: the scopes that have parked objects
``s:<source>:buckets`` hash: how many objects of each bucket and account are parked
``s:<source>:full``   zset: messages whose bucket has more parked objects than are held
``s:<source>:left``   hash: messages left to the queue for a bucket; see left.py
``s:<source>:leases`` zset: messages by the end of their visibility
``s:<source>:done``   zset: messages whose objects are all done, not yet settled
``s:<source>:settling`` string: ``until|token``, a settle was asked for and has not begun
``s:<source>:once:<token>`` string: the answer of a script that ran with this token
``s:<source>:q``      hash: quarantine entries, JSON; ``:qx`` what changes of them; see entries.py
``s:<source>:back``   hash: messages that went back to the queue; see returned.py
``s:<source>:vouched:<oid>`` string: until when an object counts as named by CloudTrail itself
``s:<source>:failed:<id>`` string: how often a message met an error that nobody foresaw
``s:<source>:sums``   hash: counters
``s:<source>:limits`` hash: what ends a message's life in the queue; see depth.py
``s:<source>:traces`` hash: when each step of the line last did its work; see traces.py
``s:<source>:folders`` hash: objects of no known shape by their folders
``s:<source>:poll:n`` string: ``until|token``, the poll lease
====================  ====================================================================

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
from trailcourier.ledger.prelude import PRELUDE
from trailcourier.models import Numbers, ObjectRef

FORMAT = 1


class Script:
    """A piece of Lua that runs after PRELUDE; written beside the method that calls it."""

    def __init__(self, body: str) -> None:
        self.text = PRELUDE + body
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


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
