"""The values that travel: from a message in the queue to what became of each object."""

from typing import Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Status = Literal["delivered", "skipped", "pending", "parked", "refused"]


class ObjectRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """One S3 log file, as a notification names it; *key* is literal, already decoded."""

    bucket: str
    key: str
    version: str | None = None
    etag: str | None = None
    region: str | None = None
    size: int | None = None

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Message(msgspec.Struct, frozen=True):
    """One SQS message, as received; *sent* is SentTimestamp in milliseconds, *sender* SenderId."""

    id: str
    receipt: str
    body: str
    receive_count: int = 1
    sent: int = 0
    sender: str = ""


class QueueLimits(msgspec.Struct, frozen=True):
    """What ends a message's life in its queue; None where the queue does not say.

    *kept* is seconds from its sending to its end; after *receives* it moves to the dead-letter
    queue, which never happens where that is 0.
    """

    kept: int | None = None
    receives: int | None = None


class Origin(msgspec.Struct, frozen=True):
    """Where the records of one delivery come from; a sink may name its output after it.

    *etag* is the one the GET returned, so that a rewritten key is another origin.
    """

    source: str
    ref: ObjectRef
    etag: str


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one object; *reason* is a key of ``dispositions.REASONS`` unless delivered."""

    status: Status
    reason: str = ""
    detail: str = ""


class Numbers(BaseModel):
    """The line's numbers, each a setting under ``[line]``; seconds unless the name says else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    visibility: int = Field(600, ge=10, le=43_200, description="lease asked for at receive")
    visibility_degraded: int = Field(
        3600, ge=10, le=43_200, description="lease asked for where it cannot be extended"
    )
    lease_life: int = Field(
        43_200, ge=30, le=43_200, description="SQS lets nobody hold a message for longer"
    )
    poll: int = Field(20, ge=1, le=60, description="one poll keeps receiving this long")
    receive_wait: int = Field(10, ge=0, le=20, description="long poll of one receive")
    in_flight: int = Field(256, ge=1, description="objects dispatched per source, at most")
    in_flight_per_thread: int = Field(4, ge=1, description="and per live object thread")
    parked: int = Field(
        2000,
        ge=1,
        description="parked objects held of one bucket and account; a message beyond that is left "
        "to SQS, and polling goes on",
    )
    chord: int = Field(200, ge=1, le=1000, description="objects in one chord, at most")
    message_objects: int = Field(5000, ge=1, description="a message naming more is refused")
    claim: int = Field(30, ge=2, description="life of a claim that nobody renews")
    claim_stall: int = Field(300, ge=5, description="a forward without progress loses its claim")
    lost_after: int = Field(30, ge=1, description="overtaken by this much, a forward is lost")
    idle_after: int = Field(10, ge=1, description="nothing queued for this long, it is lost")
    redispatches: int = Field(3, ge=1, description="in vain, before the message is given back")
    settle_gather: float = Field(
        0.1, ge=0, le=5, description="a settle waits for more messages to delete with its own"
    )
    tend: int = Field(2, ge=1, le=60, description="pause between two tends of a source")
    park_first: float = Field(5, gt=0, description="first wait of a parked object")
    park_last: float = Field(900, gt=0, description="longest wait of a parked object")
    breaker_failures: int = Field(5, ge=1, description="distinct objects that open a breaker")
    breaker_probe: float = Field(
        30,
        gt=0,
        description="longest pause between probes of an open breaker; the first is a sixth of it, "
        "each further one twice as long",
    )
    starts_alone: int = Field(3, ge=1, description="starts without an end before it runs alone")
    starts_refused: int = Field(5, ge=2, description="starts without an end before it is refused")
    heartbeat: int = Field(30, ge=15, description="a worker not heard of for longer is gone")
    marks_days: int = Field(15, ge=1, le=60, description="days a delivered object is remembered")
    quarantine_entries: int = Field(
        1000, ge=1, description="refused objects per source that are kept with all details"
    )
    quarantine_remembered: int = Field(
        10_000, ge=1, description="and beyond these, only with what a retry needs"
    )
    quarantine_messages: int = Field(
        200, ge=1, description="quarantine entries per source of messages, those alike in one"
    )
    batch_records: int = Field(1000, ge=1, description="records in one batch to a sink")
    batch_bytes: int = Field(1_048_576, ge=1024, description="bytes in one batch to a sink")
    memory_mib: int = Field(96, ge=16, description="bytes held by all forwards of a process")

    @field_validator("tend")
    @classmethod
    def _extends_in_time(cls, value: int, info: ValidationInfo) -> int:
        """A lease is extended when half of it is left, by the next round and not the one after."""
        if value * 3 > info.data.get("visibility", value * 3):
            raise ValueError("must not be more than a third of visibility")
        return value

    @field_validator("park_last")
    @classmethod
    def _is_the_longest(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("park_first", 0):
            raise ValueError("must not be less than park_first")
        return value

    @field_validator("starts_refused")
    @classmethod
    def _leaves_a_try_alone(cls, value: int, info: ValidationInfo) -> int:
        return _above(value, info, "starts_alone")


def _above(value: int, info: ValidationInfo, other: str) -> int:
    if value <= info.data.get(other, value - 1):
        raise ValueError(f"must be more than {other}")
    return value
