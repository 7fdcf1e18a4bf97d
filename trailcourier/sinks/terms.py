"""On what terms an operator lets a sink take records: the settings every sink has."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from trailcourier.egress import Peer

Oversize = Literal["refuse", "truncate"]


class Terms(BaseModel):
    """How large a record may be, and how often a batch is tried before its object is parked."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    max_record_bytes: int = Field(
        1_048_576, ge=1024, description="a larger record is oversized; CloudTrail's end at 256 KiB"
    )
    oversize: Oversize = Field(
        "refuse",
        description='what becomes of an oversized record: "refuse" sets it aside in quarantine, '
        '"truncate" sends it without its largest members and says so in it',
    )
    retry_attempts: int = Field(
        3, ge=1, le=20, description="tries of one batch before its object is parked"
    )
    retry_seconds: float = Field(
        10, ge=0, le=20, description="time within which a further try may begin"
    )

    def peers(self) -> tuple[Peer, ...]:
        """Say whom this sink connects to, for firewall lists and for ``doctor``."""
        return ()

    @property
    def at_once(self) -> int | None:
        """How many records may be sent together; None: as many as a batch has."""
        return None
