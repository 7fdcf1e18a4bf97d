"""One event source as the operator writes it: ``[sources.NAME]``."""

import json
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from trailcourier import filters, regions
from trailcourier.credentials import Credentials
from trailcourier.filters import DEFAULT_RULE, FilterRules
from trailcourier.settings import known


def listed(value: object) -> object:
    """Take a list from a variable too: ``a,b`` or JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("is no list: write a,b or a JSON array") from None
    return [part.strip() for part in value.split(",") if part.strip()]


Names = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(listed), NoDecode
]


class Source(BaseModel):
    """Where messages come from, as whom, what is read and kept, and where it goes."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    method: Literal["sqs"] = Field("sqs", description="how new log files are learned of")
    queue_region: str | None = Field(None, description="only where the URL does not say it")
    queue_url: str = Field(description="a standard queue's, in any form that AWS gives")
    bucket_region: str | None = Field(
        None, description="left out: the message's, else asked once per bucket"
    )
    buckets: Names = Field(
        (),
        description="names, or globs together with `expected_bucket_owner`; a message that names "
        "another bucket is refused",
    )
    unfiltered: bool = Field(False, description="pass every record on, as it is")
    filter: FilterRules = Field(
        DEFAULT_RULE, description="rules of your own, in place of the one for AWS's own reads"
    )
    sinks: Names = Field(min_length=1, description="each takes every record that passes")
    credentials: Credentials = Credentials()
    bucket_credentials: dict[Annotated[str, Field(min_length=1)], Credentials] = Field(
        default_factory=dict,
        description="others for some buckets: a table for each glob, of which the first counts; "
        '`"*"` keeps `credentials` to the queue',
    )
    unknown_key: Literal["read", "skip", "refuse"] = Field(
        "refuse", description="what becomes of an announced key in none of CloudTrail's shapes"
    )
    keys: Names = Field((), description="globs; keys that match are read whatever their shape")
    strict_region: bool = Field(False, description="park, where a bucket is in another region")
    fips: bool = Field(False, description="use FIPS endpoints")
    dualstack: bool = Field(False, description="use endpoints that have IPv6 addresses too")
    expected_bucket_owner: str | None = Field(
        None,
        pattern=r"^\d{12}$",
        description="an account; S3 refuses a bucket of any other. Reads take 1.6 ms more of CPU",
    )
    pollers: int = Field(
        1, ge=1, le=64, description="polls at a time; one is good for some 200 messages a second"
    )
    max_compressed_mib: int = Field(
        64, ge=1, le=1024, description="a log file larger than this, as stored, is refused"
    )
    max_inflated_mib: int = Field(
        512, ge=1, le=16_384, description="a log file larger than this, inflated, is refused"
    )
    max_record_mib: int = Field(
        16, ge=1, le=512, description="a log file with a larger record is refused"
    )
    max_records: int = Field(
        10_000_000, ge=1, le=1_000_000_000, description="a log file with more records is refused"
    )

    @field_validator("queue_region", "bucket_region")
    @classmethod
    def _by_code(cls, value: str | None) -> str | None:
        return None if value is None else known.region(regions.code(value))

    @field_validator("queue_url")
    @classmethod
    def _is_a_queue(cls, value: str, info: ValidationInfo) -> str:
        if "queue_region" not in info.data:  # itself wrong, and said so
            return value
        address = regions.queue(value, info.data["queue_region"])
        known.region(address.region)
        return address.url

    @field_validator("bucket_region")
    @classmethod
    def _beside_the_queue(cls, value: str | None, info: ValidationInfo) -> str | None:
        _one_partition(regions.partition(value) if value else None, info)
        return value

    @field_validator("fips")
    @classmethod
    def _there_are_such(cls, value: bool, info: ValidationInfo) -> bool:
        queue = _queue(info) if value else None
        if queue and queue.partition == "aws-cn":
            raise ValueError("there are no FIPS endpoints in China: leave it out")
        return value

    @field_validator("filter")
    @classmethod
    def _rules_are_meant(cls, value: object, info: ValidationInfo) -> object:
        if info.data.get("unfiltered"):
            raise ValueError("rules beside unfiltered = true: leave one of them out")
        return value

    @field_validator("sinks")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names a sink twice")
        return value

    @field_validator("credentials")
    @classmethod
    def _role_beside_the_queue(cls, value: Credentials, info: ValidationInfo) -> Credentials:
        _one_partition(value.partition, info)
        return value

    @field_validator("bucket_credentials")
    @classmethod
    def _roles_beside_the_queue(
        cls, value: dict[str, Credentials], info: ValidationInfo
    ) -> dict[str, Credentials]:
        for each in value.values():
            _one_partition(each.partition, info)
        return value

    def own_credentials(self, bucket: str) -> str:
        """The glob whose credentials read *bucket*; empty where the source's do."""
        globs = (glob for glob in self.bucket_credentials if fnmatchcase(bucket, glob))
        return next(globs, "")

    @property
    def drops(self) -> str:
        """Say in a line what is not passed on."""
        return "drops nothing" if self.unfiltered else filters.describe(self.filter)

    @property
    def queue(self) -> regions.QueueAddress:
        """What the queue's URL says."""
        return regions.queue(self.queue_url, self.queue_region)


def _one_partition(partition: str | None, info: ValidationInfo) -> None:
    """Refuse to reach from one partition into another: no credential is good in two."""
    queue = _queue(info)
    if partition and queue and partition != queue.partition:
        raise ValueError(
            f"is in partition {partition}, the queue in {queue.partition} ({queue.region})"
        )


def _queue(info: ValidationInfo) -> regions.QueueAddress | None:
    """The queue, where neither its URL nor its region is wrong, which is said there."""
    if not {"queue_url", "queue_region"} <= info.data.keys():
        return None
    return regions.queue(info.data["queue_url"], info.data["queue_region"])
