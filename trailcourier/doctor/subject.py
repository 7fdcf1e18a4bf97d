"""What is looked at: one source, and what was found out about it so far."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import boto3

from trailcourier import aws
from trailcourier.credentials import Credentials
from trailcourier.doctor import bounded
from trailcourier.doctor.call import Answer, Call, answered, failed
from trailcourier.doctor.finding import Finding
from trailcourier.errors import Fault
from trailcourier.objects import Reach
from trailcourier.objects.stores import Stores
from trailcourier.settings import Settings, Source

TOTAL = 25.0  # seconds, for all of it
CALL = 5.0  # seconds for one call, its connection and the credentials it needs
CONNECT = 3.0
OUT_OF_TIME = "TC003"
SILENT = "TC105"
UNHEARD = frozenset({"network", "not-aws"})  # AWS was not reached: nothing, or something else


class Shared:
    """What all sources have in common: the configuration, the time there is, what was asked once.

    *since* is when records began to be missed, where the operator said so; *send* lets a sink be
    sent a test record.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        since: datetime | None = None,
        send: bool = False,
        total: float = TOTAL,
    ) -> None:
        self.settings = settings
        self.since = since
        self.send = send
        self.known = bounded.Known()
        self._ends = time.monotonic() + total

    def left(self, most: float, *, beyond: float = 0.0) -> float:
        """Return how many seconds there are for something that may take *most*.

        What may outlast the end of all has so many seconds *beyond* it, however often it asks.
        """
        return max(0.0, min(most, self._ends + beyond - time.monotonic()))


class Subject:
    """One source; its checks share what they learn through it."""

    def __init__(self, name: str, shared: Shared) -> None:
        self.name = name
        self.shared = shared
        self.known = bounded.Known()
        self.found: list[Finding] = []
        self.principal = f"the credentials of sources.{name}"  # until AWS names them
        self._behind: dict[tuple[str, str], str] = {}
        self._silent: dict[tuple[str, str], Fault] = {}
        self._voiceless = ""

    @property
    def source(self) -> Source:
        return self.shared.settings.sources[self.name]

    @property
    def session(self) -> boto3.Session:
        """Speaks as the source does; made for this look alone."""
        return self.known.get(("session", ""), self._session)

    def reading(self, bucket: str) -> boto3.Session:
        """Speaks as the source does to *bucket*, which may be as somebody else."""
        glob = self.source.own_credentials(bucket)
        return self.known.get(("session", glob), lambda: self._session(glob))

    def as_whom(self, bucket: str = "") -> Credentials:
        """The credentials of the source, or those that it has for *bucket*."""
        glob = self.source.own_credentials(bucket)
        return self.source.bucket_credentials[glob] if glob else self.source.credentials

    def errors(self, *beginnings: str) -> list[Finding]:
        """Return the errors found so far whose ids begin so."""
        wanted = beginnings or ("",)
        return [each for each in self.found if each.level == "error" and each.id.startswith(wanted)]

    def keep_from(self, service: str, region: str, because: str) -> None:
        """Ask *service* in *region* nothing any more: the finding *because* says why."""
        self._behind.setdefault((service, region), because)

    def keep_silent(self, because: str) -> None:
        """Ask AWS nothing any more: as whom it would be is not known."""
        self._voiceless = because

    def kept_from(self, service: str, region: str) -> str:
        """Return the id of the finding because of which nothing is asked; else nothing."""
        return self._voiceless or self._behind.get((service, region), "")

    def ask(self, call: Call) -> Answer:
        """Ask AWS, once and for a bounded time; the answer says what came of it."""
        seconds = self.shared.left(CALL)
        if seconds <= 0:
            return Answer(call, behind=OUT_OF_TIME)
        whom = call.service, call.region
        if behind := self.kept_from(*whom):
            return Answer(call, behind=behind)
        if silent := self._silent.get(whom):
            return Answer(call, fault=silent)
        operation = call.operation
        try:
            said = bounded.within(
                seconds,
                lambda: getattr(self._for(call), operation)(**call.given),
            )
        except TimeoutError:
            fault = Fault("network", f"{call}: no answer within {seconds:.0f} s")
            answer = Answer(call, fault=fault)
        except aws.ERRORS as error:
            answer = failed(call, error)
        else:
            return answered(call, said)
        if answer.fault is not None and answer.fault.reason in UNHEARD:
            self._silent.setdefault(whom, answer.fault)  # who is silent is not asked again
        return answer

    def ask_once(self, call: Call) -> Answer:
        """Ask what was not asked yet; else give the answer there is."""
        return self.known.get(_key(call), lambda: self.ask(call))

    def together(self, calls: Sequence[Call], most: float = 2 * CALL) -> list[Answer]:
        """Ask all of *calls* at the same time; those not answered in *most* seconds are said so."""
        asked = [bounded.start(partial(self.ask_once, call)) for call in calls]
        ends = time.monotonic() + self.shared.left(most)
        answers = []
        for call, future in zip(calls, asked, strict=True):
            try:
                answers.append(future.result(max(0.0, ends - time.monotonic())))
            except TimeoutError:
                answers.append(Answer(call, behind=OUT_OF_TIME))
        return answers

    def client(self, service: str, region: str) -> Any:
        """Return a client that gives up early and, of S3, follows no redirect."""
        return self.known.get(("client", service, region), lambda: self._client(service, region))

    def _for(self, call: Call) -> Any:
        bucket = str(call.given.get("Bucket", ""))
        if call.service == "s3" and self.source.own_credentials(bucket):
            return self.stores(bucket).client(call.region)
        return self.client(call.service, call.region)

    def _client(self, service: str, region: str) -> Any:
        if service == "s3":
            return self.stores().client(region)
        queue = self.source.queue
        ours = service == "sqs"
        return aws.client(
            self.session,
            service,
            region,
            egress=self.shared.settings.egress,
            endpoint=queue.endpoint if ours and region == queue.region else None,
            fips=self.source.fips or (ours and queue.fips),
            dualstack=self.source.dualstack or (ours and queue.dualstack),
            connect=CONNECT,
            read=CALL,
            attempts=1,
        )

    def stores(self, bucket: str = "") -> Stores:
        """The ways to *bucket*, as whom it is read."""
        key = ("stores", self.source.own_credentials(bucket))
        return self.known.get(key, lambda: Stores(self.reading(bucket), self.reach))

    @property
    def reach(self) -> Reach:
        """How the line reaches the buckets, with less patience."""
        source = self.source
        return Reach(
            home=source.queue.region,
            egress=self.shared.settings.egress,
            bucket_region=source.bucket_region,
            strict_region=source.strict_region,
            fips=source.fips,
            dualstack=source.dualstack,
            owner=source.expected_bucket_owner,
            connect=CONNECT,
            stall=CALL,
            whole=2 * CALL,
        )

    def _session(self, glob: str = "") -> boto3.Session:
        return aws.session(
            self.source.bucket_credentials[glob] if glob else self.source.credentials,
            source=self.name,
            sts_region=self.source.queue.region,
            egress=self.shared.settings.egress,
            fips=self.source.fips,
            dualstack=self.source.dualstack,
        )


def _key(call: Call) -> tuple[Any, ...]:
    return ("call", call.service, call.operation, call.region, _frozen(call.given))


def _frozen(given: Mapping[str, Any]) -> str:
    return repr(sorted(given.items()))
