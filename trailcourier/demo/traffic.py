"""Simulated traffic: log files to put, messages to send, and the order of both."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from trailcourier.demo import notification_bodies
from trailcourier.demo.manifest import WrittenRecord
from trailcourier.demo.notification_bodies import S3Object

Format = Literal["cloudtrail", "s3", "eventbridge"]
Route = Literal["sqs", "sns", "sns-raw"]  # directly, in an SNS envelope, by SNS without one

BUCKETS = {"example-cloudtrail": "us-east-1", "example-cloudtrail-eu": "eu-west-1"}

_WRITERS: dict[Format, Callable[[Sequence[S3Object]], str]] = {
    "cloudtrail": notification_bodies.cloudtrail,
    "s3": notification_bodies.s3,
    "eventbridge": notification_bodies.eventbridge,
}
_ROUTES: tuple[Route, ...] = ("sqs", "sns", "sns-raw")
WAYS: tuple[tuple[Format, Route], ...] = tuple((f, r) for f in _WRITERS for r in _ROUTES)


class LogFile(msgspec.Struct, frozen=True):
    """One object to put into a bucket, and its records."""

    location: S3Object
    body: bytes
    records: tuple[WrittenRecord, ...] = ()


class SentMessage(msgspec.Struct, frozen=True):
    """One message to send.

    *kind* is the format of its notification, or another name for what it is.  If it must stay in
    the queue, *kept_mark* is a part of its body by which it is found there.
    """

    kind: str
    route: Route
    body: str
    kept_mark: str = ""


Group = list[LogFile | SentMessage]


class Traffic(msgspec.Struct, frozen=True):
    """The simulated traffic; *steps* are files and messages in the order they are played."""

    seed: int
    steps: tuple[LogFile | SentMessage, ...]

    @property
    def files(self) -> list[LogFile]:
        return [step for step in self.steps if isinstance(step, LogFile)]

    @property
    def messages(self) -> list[SentMessage]:
        return [step for step in self.steps if isinstance(step, SentMessage)]

    @property
    def manifest(self) -> list[WrittenRecord]:
        """All records of all files."""
        return [record for file in self.files for record in file.records]

    @property
    def summary(self) -> str:
        """One line for a person."""
        return (
            f"Simulated CloudTrail traffic, seed {self.seed}: {len(self.manifest):,} records in "
            f"{len(self.files):,} files, {len(self.messages):,} messages"
        )

    @property
    def kept_marks(self) -> list[str]:
        """The ``kept_mark`` of every message that must stay in the queue."""
        return [message.kept_mark for message in self.messages if message.kept_mark]


def s3_object(bucket: str, key: str, body: bytes) -> S3Object:
    """Return the S3 object that *body* becomes under *key*."""
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return S3Object(bucket, key, len(body), etag, BUCKETS.get(bucket, "us-east-1"))


def sent_message(
    kind: Format, route: Route, objects: Sequence[S3Object], *, kept_mark: str = ""
) -> SentMessage:
    """Return a message that announces *objects*, all of one bucket."""
    return SentMessage(kind, route, _WRITERS[kind](objects), kept_mark)
