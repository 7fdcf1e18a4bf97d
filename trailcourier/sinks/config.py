"""The settings that every sink has."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from trailcourier.aws.network import Peer

Oversize = Literal["refuse", "truncate"]


class DeliverySettings(BaseModel):
    """How large a record may be, and how often a batch is tried before its object is parked."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    max_record_bytes: int = Field(
        1_048_576, ge=1024, description="a larger record is oversized; CloudTrail's end at 256 KiB"
    )
    oversize: Oversize = Field(
        "refuse",
        description='what to do with an oversized record: "refuse" puts it into quarantine, '
        '"truncate" sends it without its largest members and marks it',
    )
    retry_attempts: int = Field(
        3, ge=1, le=20, description="tries of one batch before its object is parked"
    )
    retry_seconds: float = Field(
        10, ge=0, le=20, description="time after the first try within which a retry may begin"
    )

    def peers(self) -> tuple[Peer, ...]:
        """Return the hosts this sink connects to, for firewall lists and ``doctor``."""
        return ()

    @property
    def max_records_per_request(self) -> int | None:
        """How many records one request may have; None: a whole batch."""
        return None
