"""A step of the plan, as data: one resource, and the calls that read, create and delete it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from trailcourier.aws.calls import AwsCall
from trailcourier.provision.documents import BucketNotification, Statements
from trailcourier.provision.merge_rules import Document


class Placeholder(msgspec.Struct, frozen=True):
    """Stands in a parameter for a value that an earlier call returns when the plan runs."""

    name: str

    def __str__(self) -> str:
        return f"<{self.name}>"


def call_factory(service: str, region: str, **shared: Any) -> Callable[..., AwsCall]:
    """Return a function that builds calls of *service* in *region* with the *shared* parameters."""

    def call(
        operation: str,
        outputs: Mapping[str, str] | None = None,
        resource: str = "",
        **parameters: Any,
    ) -> AwsCall:
        given = {**shared, **parameters}
        return AwsCall(service, operation, region, resource, given, outputs or {})

    return call


class Fields(msgspec.Struct, frozen=True):
    """The answer holds these *values* at JMESPath *at*.

    The fields named in *lenient* are compared only where the answer has them.
    """

    at: str
    values: Document
    lenient: tuple[str, ...] = ()


ExpectedState = Fields | Statements | BucketNotification | None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One resource, or one part of a resource, and how to read, create, update and delete it."""

    id: str
    summary: str  # what is so once the step is applied, in one line; names the resource
    resource: str  # its ARN; that of its calls, unless they name another
    # made in order, to see whether it exists: not if an answer lacks one of the outputs
    read_calls: tuple[AwsCall, ...]
    create_calls: tuple[AwsCall, ...]  # empty: setup never creates it
    expected: ExpectedState = None  # what the last read call's answer is compared with
    update_calls: tuple[AwsCall, ...] = ()  # correct what differs; empty: the create calls do
    # empty: it goes with its parent. A second call deletes a policy that would become empty
    delete_calls: tuple[AwsCall, ...] = ()
    tags_call: AwsCall | None = None  # reads its tags; none: the last read call has them
    parent: str = ""  # the step whose ownership decides for this one
    additive: bool = False  # adds an entry to a resource, whoever owns that
    repeated: bool = False  # there may be several; deleting repeats until none is left
    other_account: bool = False  # a denial is for another account to resolve
    # calls that show, by an output, what keeps AWS from deleting it, and why that stays
    in_use_calls: tuple[AwsCall, ...] = ()
    in_use_reason: str = ""
    keep_reason: str = ""  # why ``destroy`` does not delete it

    @property
    def statements(self) -> tuple[Document, ...]:
        """The statements that a policy holds once the step is applied; empty for other steps."""
        return self.expected.statements if isinstance(self.expected, Statements) else ()

    @property
    def calls(self) -> Iterator[AwsCall]:
        """Every call that apply or destroy may make."""
        yield from self.read_calls
        if self.tags_call:
            yield self.tags_call
        yield from (*self.create_calls, *self.update_calls)
        yield from (*self.in_use_calls, *self.delete_calls)


# the policy or notification configuration as it exists in AWS, with our entries merged in
MERGED = Placeholder("merged")


def replace_placeholders(value: Any, replace: Callable[[Placeholder], Any]) -> Any:
    """Return *value*, a tree of mappings and lists, with each placeholder replaced."""
    if isinstance(value, Placeholder):
        return replace(value)
    if isinstance(value, Mapping):
        return {name: replace_placeholders(each, replace) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [replace_placeholders(each, replace) for each in value]
    return value


def show_placeholders(value: Any) -> Any:
    """Return *value* with each placeholder written as ``<name>``, for display and JSON."""
    return replace_placeholders(value, str)
