"""What can go wrong, by what a caller does about it.

TrailcourierError
├── ConfigError     the configuration is wrong: say every problem, exit 78
├── Unreachable     the broker, AWS or a sink does not answer: say which, exit 69
├── Broken          a part of ours ends again and again: say which and its last words, exit 70
├── Fault           one object or message cannot be carried now: its reason decides what follows
│   └── Rejected    a sink refused records for their content: send the others, set these aside
└── Stale           this copy of the work has been overtaken: stop, write nothing
"""

from collections.abc import Sequence


class TrailcourierError(Exception):
    """Everything Trailcourier raises on purpose."""


class ConfigError(TrailcourierError):
    """The configuration cannot be used; *problems* says every reason, each with file and key."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Unreachable(TrailcourierError):
    """A part the work needs does not answer; the message says which, where and what to do."""


class Broken(TrailcourierError):
    """A process of ours ends as often as it is started; the message has its last words."""


class Fault(TrailcourierError):
    """One object or message cannot be carried now.

    *reason* is a key of ``dispositions.REASONS``, which says who can repair it and so what becomes
    of the object.  *detail* is for a person: what, where.  *where* names what failed when that is
    not plain from the object: a bucket, a sink.  *after* is how many seconds it asks to be left
    alone, if it does.
    """

    def __init__(self, reason: str, detail: str, *, where: str = "", after: float = 0) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.where = where
        self.after = after


class Rejected(Fault):
    """A sink refused records for their content, not for its own state.

    Raised by ``Delivery.send``; the batch was not accepted, and smaller ones may be.
    """

    def __init__(self, detail: str, *, reason: str = "rejected-records", where: str = "") -> None:
        super().__init__(reason, detail, where=where)


class Stale(TrailcourierError):
    """Another copy of this work has taken its claim, or its lease is gone."""
