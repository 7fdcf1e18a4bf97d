"""Exception classes, one for each way in which callers react.

TrailcourierError
├── ConfigError     the configuration is wrong: report every problem, exit 78
├── Unreachable     the broker, AWS or a sink does not answer: report which, exit 69
├── Broken          a process of ours keeps ending: report which, with its last output, exit 70
├── Fault           an object or message cannot be processed now: its reason decides the outcome
│   └── Rejected    a sink rejected records for their content: quarantine these, send the others
└── Stale           another worker has taken over this work: stop, write nothing
"""

from collections.abc import Sequence

from trailcourier.reason_names import ReasonName


class TrailcourierError(Exception):
    """The base class of all errors that Trailcourier raises itself."""


class ConfigError(TrailcourierError):
    """The configuration is invalid; *problems* lists all reasons, each with file and key."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Unreachable(TrailcourierError):
    """A required service does not answer; the message says which, where and what to do."""


class Broken(TrailcourierError):
    """A process of ours ends each time it is started; the message has its last output."""


class Fault(TrailcourierError):
    """One object or message cannot be processed now.

    *reason* is a key of ``reasons.REASONS``, which says who can repair it and so decides the
    object's outcome.  *detail* tells a person what failed and where.  *where* names the bucket or
    sink that failed, if the object does not imply it.  *after* is the number of seconds that the
    other side asked to wait before a retry; 0 if it did not.
    """

    def __init__(
        self, reason: ReasonName, detail: str, *, where: str = "", after: float = 0
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.where = where
        self.after = after


class Rejected(Fault):
    """A sink rejected records because of their content, not because of its own state.

    Raised by ``Delivery.send``; the sink did not accept the batch, but may accept smaller ones.
    """

    def __init__(
        self, detail: str, *, reason: ReasonName = "rejected-records", where: str = ""
    ) -> None:
        super().__init__(reason, detail, where=where)


class Stale(TrailcourierError):
    """Another worker has taken the claim, or the lease is lost."""
