"""Make a step's AWS calls, and compare what AWS returns with what the step expects."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jmespath
import msgspec
from msgspec.structs import replace

from trailcourier.aws import calls
from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.errors import Unreachable
from trailcourier.provision import absence, propagation
from trailcourier.provision.documents import BucketNotification, Statements
from trailcourier.provision.merge_rules import encode_parameters, find_differences, has_our_tag
from trailcourier.provision.steps import MERGED, Fields, Placeholder, Step, replace_placeholders

RETRY_SECONDS = 5.0  # between two attempts while AWS does not know yet what exists
Clients = Callable[[str, str], Any]  # (service, region) -> boto3 client


class PlaceholderUnknown(Exception):
    """A call needs a value that no answer has given: its resource does not exist yet."""


class CallFailed(Unreachable):
    """AWS rejected a call or did not answer: *answer* says why."""

    def __init__(self, answer: AwsAnswer) -> None:
        super().__init__(answer.fault.detail if answer.fault else str(answer.call))
        self.answer = answer


class StepInspection(msgspec.Struct, frozen=True):
    """What the read calls of a step found.

    *document* is the policy or notification configuration that others may edit too.
    """

    exists: bool
    differences: tuple[str, ...] = ()
    answer: Any = None
    document: Any = None


class StepRunner:
    """Makes the calls of one set-up's steps and remembers the values that they return.

    *name* is the set-up's name, which our tag carries. *known* holds values that no call returns,
    such as the external id. *caller* is the ARN that errors name. *on_wait* takes a line that says
    what AWS does not know yet, for at most *patience* seconds.
    """

    def __init__(
        self,
        clients: Clients,
        name: str,
        *,
        known: Mapping[str, Any] | None = None,
        caller: str = "",
        patience: float = propagation.PATIENCE,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._clients = clients
        self.name = name
        self._ours: dict[str, bool] = {}
        self.created: set[str] = set()  # ids of the steps created by this runner
        self.caller = caller
        self._patience, self._on_wait = patience, on_wait
        self.known: dict[str, Any] = dict(known or {})

    def call(self, call: AwsCall, *, all_pages: bool = True) -> Mapping[str, Any]:
        """Make *call*, keep its outputs and return the response, by default with every page.

        Raises CallFailed or PlaceholderUnknown.
        """
        resolved = replace(call, parameters=encode_parameters(self.resolve(call.parameters)))
        open_client = partial(self._clients, call.service, call.region)
        answer = calls.make(resolved, open_client, all_pages=all_pages)
        if not answer.good:
            raise CallFailed(answer)
        response = {
            key: value for key, value in answer.response.items() if key != "ResponseMetadata"
        }
        outputs = {name: jmespath.search(path, response) for name, path in call.outputs.items()}
        self.known |= {name: value for name, value in outputs.items() if value is not None}
        return response

    def change(self, call: AwsCall) -> None:
        """Make *call*; while AWS does not know yet what was created before, report it and retry.

        Raises CallFailed, or PlaceholderUnknown.
        """
        deadline = time.monotonic() + self._patience
        while True:
            try:
                self.call(call)
            except CallFailed as failed:
                why = propagation.explain_delay(failed.answer)
                if not why or time.monotonic() > deadline:
                    raise
                self._on_wait(f"{call}: {why}; retrying")
                time.sleep(min(RETRY_SECONDS, self._patience))
            else:
                return

    def resolve(self, value: Any) -> Any:
        """Return *value* with each placeholder replaced by its known value."""

        def known(placeholder: Placeholder) -> Any:
            if placeholder.name not in self.known:
                raise PlaceholderUnknown(placeholder.name)
            return self.known[placeholder.name]

        return replace_placeholders(value, known)

    def inspect(self, step: Step) -> StepInspection:
        """Read whether the step's resource exists, and how it differs from what is expected."""
        answer: Any = None
        for call in step.read_calls:
            try:
                answer = self.call(call)
            except PlaceholderUnknown:
                return StepInspection(exists=False)
            except CallFailed as failed:
                if failed.answer.codes & absence.list_codes(call, parent=True):
                    return StepInspection(exists=False)
                raise
            if any(jmespath.search(path, answer) is None for path in call.outputs.values()):
                return StepInspection(exists=False, answer=answer)
        try:
            return self._compare(step, answer)
        except PlaceholderUnknown as missing:
            # plan and destroy work without the external id; any other value comes from a resource
            # that apply has yet to create
            is_external_id = str(missing) == "external_id"
            differences = () if is_external_id else (f"{missing} is not known yet",)
            return StepInspection(exists=True, differences=differences, answer=answer)

    def _compare(self, step: Step, answer: Any) -> StepInspection:
        if isinstance(step.expected, Fields):
            actual = jmespath.search(step.expected.at, answer) or {}
            values = self.resolve(step.expected.values)
            found = find_differences(actual, values, step.expected.lenient)
            return StepInspection(True, tuple(found), answer)
        entry = self.shared_entry(step)
        if entry is None:
            return StepInspection(True, (), answer)
        document = entry.find(answer)
        exists = not step.additive or entry.is_in(document)
        return StepInspection(exists, tuple(entry.differences(document)), answer, document)

    def shared_entry(self, step: Step) -> Statements | BucketNotification | None:
        """Return our part of a document that others may edit too, with its values known."""
        match step.expected:
            case Statements(at, statements):
                return Statements(at, tuple(self.resolve(statements)))
            case BucketNotification() as entry:
                return entry
            case _:
                return None

    def is_ours(self, step: Step, inspection: StepInspection) -> bool:
        """Return whether setup may change the existing resource, because it carries our tag.

        The answer is remembered for the steps that have this one as their parent.
        """
        if step.additive:
            return True
        if step.parent:
            return self._ours.get(step.parent, False)
        self._ours[step.id] = self._has_our_tag(step, inspection)
        return self._ours[step.id]

    def parent_is_foreign(self, step: Step) -> bool:
        """Return whether the step's parent exists and setup did not create it."""
        return self._ours.get(step.parent) is False

    def mark_created(self, step: Step) -> None:
        """Remember that this run created the step's resource, which makes it ours."""
        self._ours[step.id] = True
        self.created.add(step.id)

    def _has_our_tag(self, step: Step, inspection: StepInspection) -> bool:
        if step.tags_call is None:
            return has_our_tag(inspection.answer, self.name)
        try:
            return has_our_tag(self.call(step.tags_call), self.name)
        except CallFailed as failed:
            if failed.answer.codes & absence.list_codes(step.tags_call):
                return False
            raise

    def merge_document(self, step: Step, inspection: StepInspection) -> None:
        """Set MERGED to the existing document with our entries merged in."""
        if entry := self.shared_entry(step):
            self.known[MERGED.name] = entry.add_to(inspection.document or {})
