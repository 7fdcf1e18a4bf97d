"""What ``setup apply`` was told, and what came of it."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from trailcourier.provision import Told
from trailcourier.provision.first import Live


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What ``apply`` was told beside the request."""

    write: Path | None = None
    sinks: tuple[str, ...] = ()
    secret_file: Path | None = None
    external_id: str = ""
    wait: int = 10
    as_json: bool = False


class Result(msgspec.Struct, frozen=True):
    """What came of it; never a secret."""

    account: Annotated[str, Meta(description="whose it is")]
    steps: Annotated[
        tuple[Told, ...],
        Meta(description="of each step its id, what became of it, its words and what differed"),
    ]
    elsewhere: Annotated[
        list[Any], Meta(description="what others have to do: commands, statements for policies")
    ]
    configuration: Annotated[str, Meta(description="the tables of the source; no secret is there")]
    written: Annotated[str, Meta(description="where they were written, if anywhere")]
    problems: Annotated[tuple[str, ...], Meta(description="what is wrong with the configuration")]
    warnings: Annotated[tuple[str, ...], Meta(description="what may be meant, and often is not")]
    live: Annotated[
        Live, Meta(description="whether the queue could be received from, and what was seen there")
    ]

    @property
    def good(self) -> bool:
        done = all(each.state != "not from here" for each in self.steps)
        return done and not self.problems and self.live.good
