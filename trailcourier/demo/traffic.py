"""What a simulation is made of: log files to put, notices to send, and the order of both."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from trailcourier.demo import notices
from trailcourier.demo.manifest import Written
from trailcourier.demo.notices import Object

Shape = Literal["cloudtrail", "s3", "eventbridge"]
Route = Literal["sqs", "sns", "sns-raw"]  # straight, in an envelope, through a topic without one

BUCKETS = {"example-cloudtrail": "us-east-1", "example-cloudtrail-eu": "eu-west-1"}

_WRITE: dict[Shape, Callable[[Sequence[Object]], str]] = {
    "cloudtrail": notices.cloudtrail,
    "s3": notices.s3,
    "eventbridge": notices.eventbridge,
}
_ROUTES: tuple[Route, ...] = ("sqs", "sns", "sns-raw")
WAYS: tuple[tuple[Shape, Route], ...] = tuple((s, r) for s in _WRITE for r in _ROUTES)


class LogFile(msgspec.Struct, frozen=True):
    """One object to put into a bucket, and the records in it."""

    where: Object
    body: bytes
    records: tuple[Written, ...] = ()


class Notice(msgspec.Struct, frozen=True):
    """One message to send; *left* is a part of its body if it must stay in the queue."""

    shape: str
    route: Route
    body: str
    left: str = ""


Group = list[LogFile | Notice]


class Traffic(msgspec.Struct, frozen=True):
    """All that is simulated; *steps* are files and notices in the order they come."""

    seed: int
    steps: tuple[LogFile | Notice, ...]

    @property
    def files(self) -> list[LogFile]:
        return [step for step in self.steps if isinstance(step, LogFile)]

    @property
    def notices(self) -> list[Notice]:
        return [step for step in self.steps if isinstance(step, Notice)]

    @property
    def manifest(self) -> list[Written]:
        """Every record of every file."""
        return [record for file in self.files for record in file.records]

    @property
    def told(self) -> str:
        """What it is, for a person."""
        return (
            f"Simulated CloudTrail traffic, seed {self.seed}: {len(self.manifest):,} records in "
            f"{len(self.files):,} files, {len(self.notices):,} messages"
        )

    @property
    def left(self) -> list[str]:
        """A part of the body of every message that must stay in the queue."""
        return [notice.left for notice in self.notices if notice.left]


def placed(bucket: str, key: str, body: bytes) -> Object:
    """The object that *body* becomes under *key*."""
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Object(bucket, key, len(body), etag, BUCKETS.get(bucket, "us-east-1"))


def notice(shape: Shape, route: Route, objects: Sequence[Object], *, left: str = "") -> Notice:
    """Announce *objects*, all of one bucket."""
    return Notice(shape, route, _WRITE[shape](objects), left)
