"""What is put into the buckets and sent to the queue in one run, and what should come of it."""

import dataclasses
import gzip
import json
import random
from collections.abc import Collection
from typing import Any, Literal
from urllib.parse import quote_plus

from tests.simulation.bucket import Content

BUCKETS = ("acme-logs", "acme-other")
ACCOUNTS = ("111122223333", "444455556666")
UNKNOWN = "elsewhere/"  # what a key begins with that has none of CloudTrail's shapes
DROP, REJECT, RAISES = b'"drop"', b'"reject"', "raises"
DROP_FIELD = b',"drop":true'

STEP = 10  # ms from the first put of one message to that of the next

BIG = 1 << 20  # bytes that a big object claims to have

Fate = Literal["carry", "skip", "refuse", "either"]
"""What must come of an object as one message names it."""


def wanted(record: bytes) -> bool:
    """Whether the source's filter lets *record* pass."""
    return DROP not in record


@dataclasses.dataclass(frozen=True)
class Put:
    """At *at* milliseconds an object has a new content."""

    at: int
    bucket: str
    key: str
    content: Content


@dataclasses.dataclass(frozen=True)
class Name:
    """One object as a message names it; *number* is which of its contents, *exact* by its etag."""

    bucket: str
    key: str
    number: int
    exact: bool
    fate: Fate = "carry"

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclasses.dataclass(frozen=True)
class Sent:
    """At *at* milliseconds a message is sent; *kind* says what it is."""

    at: int
    name: str
    body: str
    kind: Literal["good", "bad", "foreign", "unread", "raises"]
    names: tuple[Name, ...] = ()


@dataclasses.dataclass(frozen=True)
class Workload:
    """Everything that comes from outside in good order."""

    puts: tuple[Put, ...]
    sent: tuple[Sent, ...]


class Author:
    """Draws one workload."""

    def __init__(
        self, chance: random.Random, *, messages: int, poor: float, lasts: int,
        again: float = 0.25, big: float = 0.0, pause: int = 0, without: Collection[str] = (),
    ) -> None:  # fmt: skip
        """*again* is how likely an object was named before, *big* how likely one is big.

        Half of the messages come *pause* milliseconds later than they would.  *without* names what
        is left out: ``raises``, ``repaired`` or a kind of bad object.
        """
        self._again = again
        self._big = big
        self._pause = pause
        self._without = without
        self._chance = chance
        self._messages = messages
        self._poor = poor
        self._lasts = lasts
        self._puts: list[Put] = []
        self._sent: list[Sent] = []
        self._known: list[Name] = []
        self._repairable: list[Name] = []
        self._serial = 0

    def write(self) -> Workload:
        """Write message after message; each is sent after the puts that it announces."""
        chance, early = self._chance, self._messages // 2
        moments = [0] * early + [
            chance.randrange(self._lasts) for _ in range(early, self._messages)
        ]
        at = 0
        for number, moment in enumerate(sorted(moments)):
            at = max(moment, at + STEP)
            self._message(f"m{number}", at)
        return Workload(tuple(self._puts), tuple(self._sent))

    def _message(self, name: str, at: int) -> None:
        chance = self._chance
        if chance.random() < self._poor / 3:
            self._sent.append(self._odd(name, at))
            return
        shape = chance.choice(("cloudtrail", "cloudtrail", "s3", "eventbridge"))
        count = 1 if shape == "eventbridge" else chance.choice((1, 1, 2, 3, 4))
        bucket = chance.choice(BUCKETS)
        names = []
        for _ in range(count):
            again = [n for n in self._known + self._repairable if n.bucket == bucket]
            if again and chance.random() < self._again:
                names.append(self._known_again(chance.choice(again), at, shape))
            else:
                names.append(self._new(bucket, at, shape))
        unique = {(n.key, n.number): n for n in names}
        names = list({n.key: n for n in unique.values()}.values())
        bad = any(each.fate in ("refuse", "either") for each in names)
        at += STEP - 1
        body = BODIES[shape](names, self._etag)
        if chance.random() < 0.4:
            body = _enveloped(body)
        self._known += [n for n in names if n.fate == "carry"]
        self._sent.append(Sent(at, name, body, "bad" if bad else "good", tuple(names)))

    def _odd(self, name: str, at: int) -> Sent:
        kind = self._chance.choice(("foreign",) * 5 + ("unread",) * 5 + ("raises",))
        if kind in self._without:
            kind = "unread"
        match kind:
            case "foreign":
                return Sent(at, name, json.dumps({"AlarmName": f"alarm {name}"}), "foreign")
            case "raises":
                return Sent(at, name, json.dumps({RAISES: name}), "raises")
        body = self._chance.choice(
            ("CloudTrail validation message.", json.dumps({"Event": "s3:TestEvent"}))
        )
        return Sent(at, name, body, "unread")

    def _known_again(self, known: Name, at: int, shape: str) -> Name:
        """The same object again: as it was, rewritten meanwhile, or put back."""
        number, exact = known.number, shape != "cloudtrail"
        repaired = known.fate == "refuse"
        if repaired or self._chance.random() < 0.4:
            number = sum(put.key == known.key for put in self._puts)
            self._put(at, known.bucket, known.key, self._content(known.key, number))
        fate: Fate = "either" if exact and known.key.startswith(UNKNOWN) else "carry"
        return dataclasses.replace(known, number=number, exact=exact, fate=fate)

    def _put(self, at: int, bucket: str, key: str, content: Content) -> None:
        last = self._puts[-1].at if self._puts else -1
        self._puts.append(Put(max(at, last + 1), bucket, key, content))

    def _new(self, bucket: str, at: int, shape: str) -> Name:  # noqa: PLR0911  one a kind
        chance = self._chance
        self._serial += 1
        account = chance.choice(ACCOUNTS)
        stem = f"AWSLogs/{account}/CloudTrail/us-east-1/2026/11/23/{account}_CloudTrail_us-east-1"
        key = f"{stem}_20261123T0000Z_{self._serial:016}.json.gz"
        exact = shape != "cloudtrail"
        if chance.random() >= self._poor:
            self._put(at, bucket, key, self._content(key, 0))
            return Name(bucket, key, 0, exact)
        kind = chance.choice(("digest", "marker", "unknown", "missing", "corrupt", "rejected",
                              "kills", "raises", "empty"))  # fmt: skip
        if kind in self._without:
            kind = "digest"
        match kind:
            case "digest":
                key = key.replace("/CloudTrail/", "/CloudTrail-Digest/")
                return Name(bucket, key, 0, exact, "skip")
            case "marker":
                return Name(
                    bucket, f"AWSLogs/{account}/CloudTrail/{self._serial}/", 0, exact, "skip"
                )
            case "unknown":
                key = f"{UNKNOWN}{self._serial}.json"
                self._put(at, bucket, key, self._content(key, 0))
                if not exact:
                    return Name(bucket, key, 0, exact)
                # refused, but for a notice of CloudTrail's own that names it too
                return self._remembered(Name(bucket, key, 0, exact, "either"))
            case "missing":
                return self._remembered(Name(bucket, key, 0, False, "refuse"))
        content = self._content(key, 0)
        spoilt = {
            "corrupt": {"body": content.body[:-3] + b"xxx", "fault": "corrupt"},
            "rejected": self._rejected(content),
            "kills": {"kills": True, "fault": "kills-worker"},
            "raises": {"raises": True, "fault": "internal"},
            "empty": {"body": log_file([]), "records": ()},
        }[kind]
        content = dataclasses.replace(content, **spoilt)
        self._put(at, bucket, key, content)
        name = Name(bucket, key, 0, exact, "refuse" if content.fault else "carry")
        return self._remembered(name) if kind == "corrupt" else name

    def _remembered(self, bad: Name) -> Name:
        """One that may be put back, or repaired, and announced again."""
        if "repaired" not in self._without:
            self._repairable.append(bad)
        return bad

    def _rejected(self, content: Content) -> dict[str, Any]:
        """One record of several is rejected: one alone says nothing about itself."""
        records = [record.replace(DROP_FIELD, b"") for record in content.records]
        records += [self._record(f"{content.etag}-{at}", b"") for at in range(2)]
        at = self._chance.randrange(len(records))
        records[at] = records[at][:-1] + b',"reject":true}'
        return {"records": tuple(records), "body": log_file(records), "fault": "rejected-records"}

    def _content(self, key: str, number: int) -> Content:
        chance = self._chance
        name = key[-24:].partition(".")[0].lstrip("0") or key
        count = chance.choice((1, 2, 3, 5)) if chance.random() < 0.9 else 20
        records = tuple(self._record(f"{name}v{number}-{at}") for at in range(count))
        claims = BIG if chance.random() < self._big else 0
        return Content(f"e{number}{self._serial:06}", log_file(records), records, claims=claims)

    def _record(self, name: str, drop: bytes | None = None) -> bytes:
        if drop is None:
            drop = DROP_FIELD if self._chance.random() < 0.2 else b""
        return b'{"eventID":"' + name.encode() + b'"' + drop + b"}"

    def _etag(self, name: Name) -> str:
        puts = [put for put in self._puts if (put.bucket, put.key) == (name.bucket, name.key)]
        return puts[name.number].content.etag if puts else "e-none"


def log_file(records: Any) -> bytes:
    return gzip.compress(b'{"Records":[' + b",".join(records) + b"]}", 1, mtime=0)


def _cloudtrail(names: list[Name], etag: Any) -> str:
    return json.dumps({"s3Bucket": names[0].bucket, "s3ObjectKey": [n.key for n in names]})


def _s3(names: list[Name], etag: Any) -> str:
    entries = []
    for name in names:
        what = {"key": quote_plus(name.key, safe="/"), "size": 1}
        if name.exact:
            what["eTag"] = etag(name)
        entries.append(
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "awsRegion": "us-east-1",
                "s3": {"bucket": {"name": name.bucket}, "object": what},
            }
        )
    return json.dumps({"Records": entries})


def _eventbridge(names: list[Name], etag: Any) -> str:
    what = {"key": names[0].key, "size": 1}
    if names[0].exact:
        what["etag"] = etag(names[0])
    return json.dumps(
        {
            "version": "0",
            "detail-type": "Object Created",
            "source": "aws.s3",
            "region": "us-east-1",
            "detail": {"bucket": {"name": names[0].bucket}, "object": what},
        }
    )


BODIES: dict[str, Any] = {"cloudtrail": _cloudtrail, "s3": _s3, "eventbridge": _eventbridge}


def _enveloped(body: str) -> str:
    envelope = {
        "Type": "Notification",
        "MessageId": "11111111-2222-3333-4444-555555555555",
        "TopicArn": "arn:aws:sns:us-east-1:111122223333:trail",
        "Message": body,
        "Timestamp": "2026-11-23T00:00:00.000Z",
    }
    return json.dumps(envelope)
