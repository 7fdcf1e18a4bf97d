"""Calls of AWS made as the plan says them, and what looking found."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jmespath
import msgspec
from botocore.exceptions import ClientError

from trailcourier import aws
from trailcourier.provision import documents
from trailcourier.provision.layout import PATH, TAG
from trailcourier.provision.steps import (
    MERGED,
    Call,
    Document,
    Fields,
    Known,
    Notification,
    Statements,
    Step,
)

Clients = Callable[[str, str], Any]  # of a service in a region

# parameters that AWS takes as text and the plan has as objects
TEXTS = frozenset(
    {"Policy", "PolicyDocument", "AssumeRolePolicyDocument", "EventPattern", "AttributeValue"}
    | {"RedrivePolicy", "RedriveAllowPolicy"}
)


class NotKnown(Exception):
    """A call needs what no answer has given yet: it is about something that is not there."""


class View(msgspec.Struct, frozen=True):
    """What looking at a step found; *document* is what others may write in too."""

    there: bool
    differs: tuple[str, ...] = ()
    answer: Any = None
    document: Any = None


class Asker:
    """Makes calls for *caller* and remembers what they gave; *known* is given beside."""

    def __init__(
        self,
        clients: Clients,
        name: str,
        *,
        known: Mapping[str, Any] | None = None,
        caller: str = "",
    ) -> None:
        self._clients = clients
        self.name = name
        self._ours: dict[str, bool] = {}
        self.fresh: set[str] = set()  # steps made in this walk
        self.caller = caller
        self.known: dict[str, Any] = dict(known or {})

    def ask(self, call: Call) -> Any:
        """Make *call* and keep what it gives; raises what boto3 raises, or NotKnown."""
        parameters = encoded(self.resolved(call.parameters))
        client = self._clients(call.service, call.region)
        if client.can_paginate(call.method):
            answer = client.get_paginator(call.method).paginate(**parameters).build_full_result()
        else:
            answer = getattr(client, call.method)(**parameters)
        told = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
        found = {name: jmespath.search(path, told) for name, path in call.gives.items()}
        self.known |= {name: value for name, value in found.items() if value is not None}
        return told

    def resolved(self, value: Any) -> Any:
        """*value* with every Known in it as it is known by now."""
        if isinstance(value, Known):
            if value.name not in self.known:
                raise NotKnown(value.name)
            return self.known[value.name]
        if isinstance(value, Mapping):
            return {name: self.resolved(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.resolved(each) for each in value]
        return value

    def look(self, step: Step) -> View:
        """Say whether what *step* wants is there, and what of it is not as it should be."""
        answer: Any = None
        for call in step.look:
            try:
                answer = self.ask(call)
            except NotKnown:
                return View(there=False)
            except ClientError as error:
                if aws.codes(error) & step.absent:
                    return View(there=False)
                raise
            if any(jmespath.search(path, answer) is None for path in call.gives.values()):
                return View(there=False, answer=answer)
        try:
            return self._compared(step, answer)
        except NotKnown as lacking:
            # the external id need not be told to plan and destroy; all else is yet to be made
            told = () if str(lacking) == "external_id" else (f"{lacking} is not known yet",)
            return View(there=True, differs=told, answer=answer)

    def _compared(self, step: Step, answer: Any) -> View:
        match step.want:
            case Fields(at, values, lenient):
                held = jmespath.search(at, answer) or {}
                return View(True, tuple(different(held, self.resolved(values), lenient)), answer)
            case Statements(at):
                held = documents.read(jmespath.search(at, answer))
                wanted = self.statements(step.want)
                there = not step.adds or documents.holds(held, wanted)
                return View(there, tuple(documents.lacking(held, wanted)), answer, held)
            case Notification():
                there = documents.hooked(answer, step.want)
                return View(there, tuple(documents.unannounced(answer, step.want)), answer, answer)
            case _:
                return View(True, (), answer)

    def statements(self, want: Statements) -> Statements:
        """*want* with what is known by now."""
        return Statements(want.at, tuple(self.resolved(list(want.statements))))

    def ours(self, step: Step, view: View) -> bool:
        """Whether what is there is this set-up's to change: it carries our tag."""
        if step.adds:
            return True
        if step.of:
            return self._ours.get(step.of, False)
        self._ours[step.id] = self._marked(step, view)
        return self._ours[step.id]

    def theirs(self, step: Step) -> bool:
        """Whether *step* belongs to what is there and is not this set-up's."""
        return self._ours.get(step.of) is False

    def made(self, step: Step) -> None:
        """Remember that *step* was made just now, and so is ours."""
        self._ours[step.id] = True
        self.fresh.add(step.id)

    def _marked(self, step: Step, view: View) -> bool:
        if step.mark is None:
            return marked(view.answer, self.name)
        try:
            return marked(self.ask(step.mark), self.name)
        except ClientError as error:
            if aws.codes(error) & {"NoSuchTagSet", "NoSuchTagSetError"}:
                return False
            raise

    def merge(self, step: Step, view: View) -> None:
        """Have MERGED stand for the document that is there, with ours in it."""
        match step.want:
            case Statements():
                wanted = self.statements(step.want)
                self.known[MERGED.name] = documents.merged(view.document or {}, wanted)
            case Notification():
                held = view.document or {}
                self.known[MERGED.name] = documents.announced(held, step.want)
            case _:
                pass


def encoded(parameters: Document) -> dict[str, Any]:
    """*parameters* with documents as text where AWS takes text."""
    return {name: _encoded(name, value) for name, value in parameters.items()}


def _encoded(name: str, value: Any) -> Any:
    if name in TEXTS:
        return value if isinstance(value, str) else json.dumps(value)
    return encoded(value) if isinstance(value, Mapping) else value


def different(held: Document, wanted: Document, lenient: Iterable[str] = ()) -> list[str]:
    """Say which values of *wanted* are others in *held*; of *lenient* ones only those it has."""
    said = []
    for name, value in wanted.items():
        if name in lenient and name not in held:
            continue
        there = held.get(name)
        if isinstance(value, Mapping | list) and isinstance(there, str):
            there = json.loads(there) if there else None
        nothing: tuple[Any, ...] = (None, "", [], {})
        if not (there in nothing and value in nothing) and not documents.same(there, value):
            said.append(f"{name} is {_short(there)}, wanted {_short(value)}")
    return said


def _short(value: Any) -> str:
    text = "not set" if value is None else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def marked(answer: Any, name: str) -> bool:
    """Whether an answer of AWS holds our tag with *name*, or the path that a group has for it."""
    if isinstance(answer, Mapping):
        if answer.get(TAG) == name or answer.get("Path") == PATH:
            return True
        for key, value in (("Key", "Value"), ("TagKey", "TagValue")):
            if answer.get(key) == TAG:
                return bool(answer.get(value) == name)
        return any(marked(each, name) for each in answer.values())
    return isinstance(answer, list) and any(marked(each, name) for each in answer)
