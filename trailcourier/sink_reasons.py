"""The type of one reason, and the reasons that a sink can cause."""

from typing import Literal

import msgspec

Breaker = Literal["", "queue", "credentials", "bucket", "sink"]


class Reason(msgspec.Struct, frozen=True):
    """Why an object or message was not delivered, and what to do about it.

    *tries* is how many tries turn a parked object into a refused one; 0: it stays parked.  With
    *only_if_others_succeed* a try counts only if other objects of the same scope succeeded
    meanwhile.  A reason that has the status ``refused`` and *tries* parks the object until the
    tries are used up.  A fault that *may_be_local* may be caused by this host alone: while other
    hosts are alive, it counts for this host's breaker until a second host fails alike.
    """

    status: Literal["skipped", "parked", "refused"]
    text: str
    advice: str
    breaker: Breaker = ""
    tries: int = 0
    only_if_others_succeed: bool = False
    may_be_local: bool = False


SINK_REASONS: dict[str, Reason] = {
    "sink-unreachable": Reason(
        "parked",
        "The sink cannot be reached, or the connection broke.",
        "Check that the sink runs and listens at the address in its settings, and that firewalls "
        "and DNS let this host reach it. Then test it: `trailcourier sink test NAME`.",
        "sink",
        may_be_local=True,
    ),
    "sink-busy": Reason(
        "parked",
        "The sink asks for fewer requests, or takes records too slowly.",
        "Trailcourier retries by itself. If it persists, give the sink more capacity or run fewer "
        "workers.",
        "sink",
    ),
    "sink-credentials": Reason(
        "parked",
        "The sink did not accept the credentials.",
        "Correct the token or URL in the secret that the sink's settings name. A `file:` secret is "
        "read again; after a change of an `env:` secret restart the workers.",
        "sink",
        may_be_local=True,
    ),
    "sink-error": Reason(
        "parked",
        "The sink answered with an error, or writing to it failed.",
        "The detail has the error: repair the sink or its settings. Then test it: `trailcourier "
        "sink test NAME`.",
        "sink",
        may_be_local=True,
    ),
    "sink-rejects-all": Reason(
        "parked",
        "The sink rejected every record of this object that it was sent, or the last ones, and has "
        "accepted nothing since. The sink itself may be at fault.",
        "The detail has the sink's answer. If `trailcourier sink test NAME` fails too, correct the "
        "sink's settings or the proxy in front of it. Otherwise wait: once the sink accepts other "
        "records, Trailcourier refuses those that it still rejects.",
        "sink",
    ),
    "sink-untrusted": Reason(
        "parked",
        "Other users could change where a file sink writes: its folder is a symbolic link, belongs "
        "to another user, or may be written to by others.",
        "Change the owner or the mode of the folder that the detail names. If you trust everybody "
        "who may write there, set `trust_path = true` of the sink.",
        "sink",
        may_be_local=True,
    ),
    "sink-full": Reason(
        "parked",
        "The sink has no room left.",
        "Make room on the disk the sink writes to, or raise its quota.",
        "sink",
        may_be_local=True,
    ),
}
