"""One way an object fails to be carried, and all those that are a sink's."""

from typing import Literal

import msgspec

Breaker = Literal["", "queue", "credentials", "bucket", "sink"]


class Reason(msgspec.Struct, frozen=True):
    """One way an object or message fails to be carried.

    *tries* turns a parked object into a refused one after so many; with *beside_success* only if
    others of the same scope succeeded meanwhile.  A reason whose status is ``refused`` and that has
    *tries* is parked until they are used up.  One that *may_be_local* may be a fault of this host
    alone: where others are at work, it is the host's until a second one fails alike.
    """

    status: Literal["skipped", "parked", "refused"]
    text: str
    advice: str
    breaker: Breaker = ""
    tries: int = 0
    beside_success: bool = False
    may_be_local: bool = False


SINK: dict[str, Reason] = {
    "sink-unreachable": Reason(
        "parked",
        "The sink cannot be reached, or the connection broke.",
        "See that it runs and listens where the sink's settings say (`trailcourier sink test "
        "NAME`), then the network between.",
        "sink",
        may_be_local=True,
    ),
    "sink-busy": Reason(
        "parked", "The sink asks to slow down.", "Time repairs it; fewer workers help.", "sink"
    ),
    "sink-credentials": Reason(
        "parked",
        "The sink did not accept the credentials.",
        "Check the secret the sink's config names; `file:` secrets are read again.",
        "sink",
        may_be_local=True,
    ),
    "sink-error": Reason(
        "parked",
        "The sink failed to take the records.",
        "Its own words say why; `trailcourier sink test NAME` tries it alone.",
        "sink",
        may_be_local=True,
    ),
    "sink-rejects-all": Reason(
        "parked",
        "The sink rejected every record it was offered of this object, so the fault may be its "
        "own.",
        "The detail has its answer. If it rejects everything, its settings, or what stands in "
        "front of it, are wrong (`trailcourier sink test NAME`). Once it has accepted other "
        "records, those it still rejects here are refused one by one.",
        "sink",
    ),
    "sink-untrusted": Reason(
        "parked",
        "Others could change where a file sink writes: its folder is a link, is not ours or root's "
        "alone, or may be written to by others.",
        "The detail names the folder and what to change. Where everybody who may write there is "
        "trusted, set `trust_path = true` of the sink.",
        "sink",
        may_be_local=True,
    ),
    "sink-full": Reason(
        "parked",
        "The sink has no room left.",
        "Make room on the disk the sink writes to.",
        "sink",
        may_be_local=True,
    ),
}
