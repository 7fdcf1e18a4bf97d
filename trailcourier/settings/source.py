"""The model of one event source: ``[sources.NAME]``."""

import json
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from trailcourier import filters
from trailcourier.aws import regions
from trailcourier.aws.credentials import Credentials
from trailcourier.filters import DEFAULT_RULE, FilterRules
from trailcourier.records import MIB, LogLimits
from trailcourier.settings import botocore_data


def listed(value: object) -> object:
    """Read a list also from a variable: ``a,b`` or JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("must be a list: a,b or a JSON array") from None
    return [part.strip() for part in value.split(",") if part.strip()]


Names = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(listed), NoDecode
]


class Source(BaseModel):
    """Where messages come from, with which credentials, what is read and kept, and the sinks."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    method: Literal["sqs"] = Field("sqs", description="how new log files are announced")
    queue_region: str | None = Field(None, description="only if the URL does not contain it")
    queue_url: str = Field(description="the URL of a standard queue, in any form that AWS uses")
    bucket_region: str | None = Field(
        None, description="by default the message's, else looked up once per bucket"
    )
    buckets: Names = Field(
        (),
        description="names, or globs together with `expected_bucket_owner`; an object of another "
        "bucket is refused",
    )
    unfiltered: bool = Field(False, description="deliver every record, unchanged")
    filter: FilterRules = Field(
        DEFAULT_RULE,
        description="your rules, instead of the default rule for reads by AWS services",
    )
    sinks: Names = Field(min_length=1, description="each gets every record that the filter keeps")
    credentials: Credentials = Credentials()
    bucket_credentials: dict[Annotated[str, Field(min_length=1)], Credentials] = Field(
        default_factory=dict,
        description="other credentials for some buckets: a table for each glob, the first match "
        'counts; with `"*"`, `credentials` is for the queue alone',
    )
    unknown_key: Literal["read", "skip", "refuse"] = Field(
        "refuse", description="what to do with a key that has none of CloudTrail's shapes"
    )
    keys: Names = Field((), description="globs; a key that matches is read whatever its shape")
    strict_region: bool = Field(False, description="park objects of a bucket in another region")
    fips: bool = Field(False, description="use FIPS endpoints")
    dualstack: bool = Field(False, description="use endpoints that also have IPv6 addresses")
    expected_bucket_owner: str | None = Field(
        None,
        pattern=r"^\d{12}$",
        description="an account; S3 denies buckets of any other. A read takes 1.6 ms more CPU time",
    )
    pollers: int = Field(
        1, ge=1, le=64, description="concurrent polls; one receives about 200 messages a second"
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
        return None if value is None else botocore_data.region(regions.parse_code(value))

    @field_validator("queue_url")
    @classmethod
    def _is_a_queue(cls, value: str, info: ValidationInfo) -> str:
        if "queue_region" not in info.data:  # its own problem is reported
            return value
        address = regions.parse_queue_url(value, info.data["queue_region"])
        botocore_data.region(address.region)
        return address.url

    @field_validator("bucket_region")
    @classmethod
    def _bucket_in_partition_of_queue(cls, value: str | None, info: ValidationInfo) -> str | None:
        _one_partition(regions.partition_of(value) if value else None, info)
        return value

    @field_validator("fips")
    @classmethod
    def _fips_endpoints_exist(cls, value: bool, info: ValidationInfo) -> bool:
        queue = _queue(info) if value else None
        if queue and queue.partition == "aws-cn":
            raise ValueError("there are no FIPS endpoints in China: leave it out")
        return value

    @field_validator("filter")
    @classmethod
    def _rules_or_unfiltered(cls, value: object, info: ValidationInfo) -> object:
        if info.data.get("unfiltered"):
            raise ValueError("cannot be combined with unfiltered = true: leave one of them out")
        return value

    @field_validator("sinks")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names a sink twice")
        return value

    @field_validator("credentials")
    @classmethod
    def _role_in_partition_of_queue(cls, value: Credentials, info: ValidationInfo) -> Credentials:
        _one_partition(value.partition, info)
        return value

    @field_validator("bucket_credentials")
    @classmethod
    def _roles_in_partition_of_queue(
        cls, value: dict[str, Credentials], info: ValidationInfo
    ) -> dict[str, Credentials]:
        for each in value.values():
            _one_partition(each.partition, info)
        return value

    def own_credentials(self, bucket: str) -> str:
        """Return the glob whose credentials read *bucket*, or nothing for the source's own."""
        globs = (glob for glob in self.bucket_credentials if fnmatchcase(bucket, glob))
        return next(globs, "")

    @property
    def limits(self) -> LogLimits:
        """The limits of its log files."""
        return LogLimits(
            compressed=self.max_compressed_mib * MIB,
            inflated=self.max_inflated_mib * MIB,
            record=self.max_record_mib * MIB,
            records=self.max_records,
        )

    def compile_filter(self) -> filters.Decide:
        """Return the function that decides which records pass."""
        return filters.pass_everything if self.unfiltered else filters.compile_rules(self.filter)

    @property
    def drops(self) -> str:
        """Return in a line which records the filter drops."""
        return "drops nothing" if self.unfiltered else filters.describe(self.filter)

    @property
    def queue(self) -> regions.QueueAddress:
        """The address of the queue, from its URL."""
        return regions.parse_queue_url(self.queue_url, self.queue_region)


def _one_partition(partition: str | None, info: ValidationInfo) -> None:
    """Raise ValueError if *partition* is not the queue's: credentials are valid in one only."""
    queue = _queue(info)
    if partition and queue and partition != queue.partition:
        raise ValueError(
            f"is in partition {partition}, the queue in {queue.partition} ({queue.region})"
        )


def _queue(info: ValidationInfo) -> regions.QueueAddress | None:
    """Return the queue, or None if its URL or region is wrong, which is reported there."""
    if not {"queue_url", "queue_region"} <= info.data.keys():
        return None
    return regions.parse_queue_url(info.data["queue_url"], info.data["queue_region"])
