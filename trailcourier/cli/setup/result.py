"""The options and the result of ``setup apply``."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from trailcourier.cli.setup.liveness import Liveness
from trailcourier.provision import StepReport
from trailcourier.provision.manual_steps import ManualStep


class ApplyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of ``apply`` that are not part of the request."""

    write: Path | None = None
    sinks: tuple[str, ...] = ()
    secret_file: Path | None = None
    external_id: str = ""
    wait: int = 10
    as_json: bool = False

    def to_remember(self) -> dict[str, Any]:
        """Return the options that the next apply takes for granted, with absolute paths."""
        return {
            "write": str(self.write.absolute()) if self.write else "",
            "sink": list(self.sinks),
            "secret_file": str(self.secret_file.absolute()) if self.secret_file else "",
            "external_id": self.external_id,
        }


class ApplyResult(msgspec.Struct, frozen=True):
    """What ``apply`` did; never holds a secret."""

    account: Annotated[str, Meta(description="the account's id")]
    steps: Annotated[
        tuple[StepReport, ...],
        Meta(description="of each step its id, state, summary (`words`) and what differed"),
    ]
    elsewhere: Annotated[
        list[ManualStep],
        Meta(description="steps for other accounts and hosts: commands, policy statements"),
    ]
    configuration: Annotated[
        str, Meta(description="the source's tables for `trailcourier.toml`, without secrets")
    ]
    written: Annotated[str, Meta(description="where the tables were written; empty: nowhere")]
    problems: Annotated[
        tuple[str, ...], Meta(description="errors in the configuration, as `check` reports them")
    ]
    warnings: Annotated[tuple[str, ...], Meta(description="what is valid but probably unintended")]
    environment: Annotated[
        tuple[str, ...],
        Meta(description="variables that have to hold the access key where the collector runs"),
    ]
    live: Annotated[
        Liveness,
        Meta(description="`good`, `proved`, `words` and doctor's `findings`"),
    ]

    @property
    def good(self) -> bool:
        """Whether nothing is left for somebody else and the source works."""
        allowed = all(each.state != "not allowed" for each in self.steps)
        return allowed and not self.problems and self.live.good
