"""A step of the plan, as data: what will be there, how to see it, make it and undo it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from botocore import xform_name

Document = Mapping[str, Any]


class Known(msgspec.Struct, frozen=True):
    """Stands in a parameter for what is known only once an earlier call has answered."""

    name: str

    def __str__(self) -> str:
        return f"<{self.name}>"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of AWS, in AWS's own words.

    *gives* says what to keep of the answer, by JMESPath; in a look, what is not in the answer is
    not there.  *on* is the ARN it is about, where that is not the step's.
    """

    service: str
    operation: str
    parameters: Document = {}
    region: str = ""
    gives: Mapping[str, str] = {}
    on: str = ""

    @property
    def method(self) -> str:
        """The name of boto3's method."""
        return xform_name(self.operation)

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"


def caller(service: str, region: str, **always: Any) -> Callable[..., Call]:
    """Return what makes calls of one service in one region, *always* with these parameters."""

    def call(
        operation: str, gives: Mapping[str, str] | None = None, on: str = "", **parameters: Any
    ) -> Call:
        return Call(
            service=service,
            operation=operation,
            region=region,
            parameters={**always, **parameters},
            gives=gives or {},
            on=on,
        )

    return call


class Fields(msgspec.Struct, frozen=True):
    """The answer has these values *at* a JMESPath; *lenient* ones only where it has them at all."""

    at: str
    values: Document
    lenient: tuple[str, ...] = ()


class Statements(msgspec.Struct, frozen=True):
    """The policy *at* a JMESPath holds these statements, by Sid, beside any others."""

    at: str
    statements: tuple[Document, ...]


class Notification(msgspec.Struct, frozen=True):
    """The bucket's notification configuration holds this entry, by Id, beside any others."""

    kind: str  # QueueConfigurations, or EventBridgeConfiguration
    entry: Document


Want = Fields | Statements | Notification | None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that will be so.

    *look* asks in order; a code of *absent*, or a kept value that is not there, means that it is
    to be *made*.  *mend* sets right what differs (left out: *make* does).  Ours is what *mark*
    says (left out: the last look), or what the step *of* says; a step with *adds* only adds to what
    may be anybody's.  *undo* takes it away, once for each there are of *many*; of a document, its
    second call is for when nothing would be left of it.  *left* says why ``destroy`` leaves it.
    What is denied of a *foreign* step is for the other side to allow.
    """

    id: str
    words: str
    resource: str  # its ARN, for a missing permission
    look: tuple[Call, ...]
    make: tuple[Call, ...]
    want: Want = None
    absent: frozenset[str] = frozenset()
    mend: tuple[Call, ...] = ()
    undo: tuple[Call, ...] = ()
    mark: Call | None = None
    of: str = ""
    adds: bool = False
    many: bool = False
    foreign: bool = False
    left: str = ""

    @property
    def calls(self) -> Iterator[Call]:
        """Every call that applying or destroying may make."""
        yield from self.look
        if self.mark:
            yield self.mark
        yield from (*self.make, *self.mend, *self.undo)


MERGED = Known("merged")  # the policy or configuration that is there, with ours in it


def shown(value: Any) -> Any:
    """*value* with what is not known yet as ``<name>``: for eyes and JSON."""
    if isinstance(value, Known):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [shown(each) for each in value]
    return value
