"""Values that several packages share: messages, objects, outcomes and the line's settings."""

from typing import Literal, cast

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Status = Literal["delivered", "skipped", "pending", "parked", "refused"]


class ObjectRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """One S3 log file as a notification names it; *key* is literal, already decoded."""

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
    """When a message leaves its queue; None if the queue does not say.

    *kept* is the retention period in seconds, from when the message was sent.  After *receives*
    receives SQS moves it to the dead-letter queue; 0 means never.
    """

    kept: int | None = None
    receives: int | None = None


class Origin(msgspec.Struct, frozen=True):
    """The source and object of one delivery's records; a sink may name its output after it.

    *etag* is the one that the GET returned, so that a rewritten object is another origin.
    """

    source: str
    ref: ObjectRef
    etag: str


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one object; *reason* is a key of ``reasons.REASONS`` unless delivered.

    The ledger writes it as ``delivered`` or ``refused:corrupt``, without *detail*.
    """

    status: Status
    reason: str = ""
    detail: str = ""

    @classmethod
    def parse(cls, text: str) -> "Outcome":
        """Take apart an outcome as the ledger writes it."""
        status, _, reason = text.partition(":")
        return cls(cast("Status", status), reason)

    def __str__(self) -> str:
        return f"{self.status}:{self.reason}" if self.reason else self.status


class LineNumbers(BaseModel):
    """The line's numbers that an operator may tune; seconds unless the name says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    visibility_degraded: int = Field(
        3600,
        ge=10,
        le=43_200,
        description="lease asked for at receive where AWS denies extending it",
    )
    receive_wait: int = Field(10, ge=0, le=20, description="long poll of one receive")
    in_flight: int = Field(256, ge=1, description="most objects in flight per source")
    parked: int = Field(
        2000,
        ge=1,
        description="most parked objects of one bucket and account; a message beyond that is "
        "hidden in SQS, and polling goes on",
    )
    claim: int = Field(30, ge=2, description="lifetime of a claim that no worker renews")
    lost_after: int = Field(
        30, ge=1, description="a forward is lost if one dispatched this much later has begun"
    )
    breaker_probe: float = Field(
        30,
        gt=0,
        description="longest pause between probes of an open breaker; the first is a sixth of it, "
        "each further one twice as long",
    )
    heartbeat: int = Field(
        30, ge=15, description="a process without a heartbeat for longer is not counted as live"
    )
    quarantine_entries: int = Field(
        1000, ge=1, description="refused objects per source that are kept with all details"
    )
    quarantine_remembered: int = Field(
        10_000,
        ge=1,
        description="refused objects beyond these that are kept without details, for a retry",
    )
    quarantine_messages: int = Field(
        200, ge=1, description="quarantine entries of messages per source; messages alike share one"
    )
    batch_records: int = Field(1000, ge=1, description="records in one batch to a sink")
    batch_bytes: int = Field(1_048_576, ge=1024, description="bytes in one batch to a sink")
    memory_mib: int = Field(96, ge=16, description="MiB held by all forwards of a process")


class ExpertNumbers(BaseModel):
    """For tests and emergencies: the line's other numbers, in seconds unless the name says more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    visibility: int = Field(600, ge=10, le=43_200, description="lease asked for at receive")
    lease_life: int = Field(
        43_200,
        ge=30,
        le=43_200,
        description="longest lease; SQS lets nobody hold a message for longer than 12 hours",
    )
    poll: int = Field(20, ge=1, le=60, description="how long one poll keeps receiving")
    in_flight_per_thread: int = Field(
        16, ge=1, description="most objects in flight per live object thread"
    )
    chord: int = Field(200, ge=1, le=1000, description="most objects in one chord")
    message_objects: int = Field(
        5000, ge=1, description="a message that names more objects is refused"
    )
    claim_stall: int = Field(300, ge=5, description="a forward without progress loses its claim")
    idle_after: int = Field(
        10, ge=1, description="a forward is lost if none has waited in the broker for this long"
    )
    redispatches: int = Field(
        3, ge=1, description="redispatches of lost forwards before the message is released"
    )
    settle_gather: float = Field(
        0.1,
        ge=0,
        le=5,
        description="how long a settle waits for more messages to delete with its own",
    )
    maintenance: int = Field(
        2, ge=1, le=60, description="pause between two maintenance runs of a source"
    )
    park_first: float = Field(5, gt=0, description="first wait of a parked object")
    park_last: float = Field(900, gt=0, description="longest wait of a parked object")
    breaker_failures: int = Field(5, ge=1, description="distinct objects that open a breaker")
    starts_alone: int = Field(
        3, ge=1, description="starts without an outcome before an object is forwarded alone"
    )
    starts_refused: int = Field(
        5, ge=2, description="starts without an outcome before an object is refused"
    )
    marks_days: int = Field(15, ge=1, le=60, description="days a delivered object is remembered")

    @field_validator("maintenance")
    @classmethod
    def _runs_before_leases_end(cls, value: int, info: ValidationInfo) -> int:
        """Maintenance extends a lease when half of it is left, and must then run in time."""
        if value * 3 > info.data.get("visibility", value * 3):
            raise ValueError("must not be more than a third of visibility")
        return value

    @field_validator("park_last")
    @classmethod
    def _is_at_least_first(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("park_first", 0):
            raise ValueError("must not be less than park_first")
        return value

    @field_validator("starts_refused")
    @classmethod
    def _allows_a_run_alone(cls, value: int, info: ValidationInfo) -> int:
        return _check_above(value, info, "starts_alone")


class Numbers(LineNumbers, ExpertNumbers):
    """All numbers of the line, by one name each."""


def _check_above(value: int, info: ValidationInfo, other: str) -> int:
    if value <= info.data.get(other, value - 1):
        raise ValueError(f"must be more than {other}")
    return value
