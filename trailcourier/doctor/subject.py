"""The subject of the checks: one source, and what they have learned about it so far."""

import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import boto3
from msgspec.structs import replace

from trailcourier.aws import clients, sessions
from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.aws.sqs import queue_network
from trailcourier.doctor import deadlines
from trailcourier.doctor.finding import Finding
from trailcourier.doctor.lent_eyes import LentEyes, make_within
from trailcourier.errors import Fault
from trailcourier.objects import BucketAccess
from trailcourier.objects.stores import Stores
from trailcourier.once_cache import OnceCache
from trailcourier.settings import Settings, Source

TOTAL = 25.0  # seconds for the whole run
CALL = 5.0  # seconds for one call, with its connection and the credentials it needs
CONNECT = 3.0  # seconds
PAUSES = (0.5, 1.0)  # seconds before a call that AWS throttled is made again
OUT_OF_TIME = "TC003"
NO_ANSWER = "TC105"
NOT_REACHED = frozenset({"network", "not-aws"})  # no answer, or an answer that is not AWS's


class Shared:
    """What all sources share: the configuration, the time limit, and a cache of answers.

    *since* is when records began to be missing, if the operator said so; *send* allows a test
    record to each sink; *profile* is the AWS profile that looks where AWS denies the source;
    *total* is the time limit in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        since: datetime | None = None,
        send: bool = False,
        profile: str = "",
        total: float = TOTAL,
    ) -> None:
        self.settings = settings
        self.since = since
        self.send = send
        self.profile = profile
        self.cache = OnceCache(keep_errors=True)
        self._ends = time.monotonic() + total

    def seconds_left(self, most: float, *, beyond: float = 0.0) -> float:
        """Return the seconds left for something that may take *most* seconds.

        *beyond* seconds are added to the time limit; the end stays fixed, however often this is
        called.
        """
        return max(0.0, min(most, self._ends + beyond - time.monotonic()))


class Subject:
    """One source; its checks share their findings and AWS's answers through it."""

    def __init__(self, name: str, shared: Shared) -> None:
        self.name = name
        self.shared = shared
        self.cache = OnceCache(keep_errors=True)
        self.findings: list[Finding] = []
        self.principal = f"the credentials of sources.{name}"  # until AWS names their ARN
        self.lent = LentEyes(shared.profile, self._lent_client)
        self.denied: dict[str, AwsCall] = {}  # by the id of a finding that is not known for it
        self._blocked: dict[tuple[str, str], str] = {}
        self._silent: dict[tuple[str, str], Fault] = {}
        self._all_blocked_by = ""

    @property
    def source(self) -> Source:
        return self.shared.settings.sources[self.name]

    @property
    def session(self) -> boto3.Session:
        """A session with the source's credentials, made for this run."""
        return self.cache.get(("session", ""), self._session)

    def bucket_arn(self, bucket: str) -> str:
        return f"arn:{self.source.queue.partition}:s3:::{bucket}"

    def bucket_parameters(self, bucket: str) -> dict[str, str]:
        """Return the parameters that name *bucket* and, if configured, the account that owns it."""
        owner = self.source.expected_bucket_owner
        return {"Bucket": bucket} | ({"ExpectedBucketOwner": owner} if owner else {})

    def session_for(self, bucket: str) -> boto3.Session:
        """Return a session with the credentials for *bucket*, which may have its own."""
        glob = self.source.own_credentials(bucket)
        return self.cache.get(("session", glob), lambda: self._session(glob))

    def credentials_for(self, bucket: str = "") -> Credentials:
        """Return the source's credentials, or its own credentials for *bucket*."""
        glob = self.source.own_credentials(bucket)
        return self.source.bucket_credentials[glob] if glob else self.source.credentials

    def errors(self, *prefixes: str) -> list[Finding]:
        """Return the errors found so far with an id that begins with one of *prefixes*, or all."""
        wanted = prefixes or ("",)
        return [
            each for each in self.findings if each.level == "error" and each.id.startswith(wanted)
        ]

    def block_service(self, service: str, region: str, cause: str) -> None:
        """Make no more calls to *service* in *region*, because of the finding with id *cause*."""
        self._blocked.setdefault((service, region), cause)

    def block_all_calls(self, cause: str) -> None:
        """Make no more calls to AWS: the finding with id *cause* left no credentials."""
        self._all_blocked_by = cause

    def blocked_by(self, service: str, region: str) -> str:
        """Return the id of the finding that blocks calls to *service*; empty if none does."""
        return self._all_blocked_by or self._blocked.get((service, region), "")

    def ask(self, call: AwsCall) -> AwsAnswer:
        """Make *call* once, with a timeout; return the response or the failure as an answer."""
        if self.shared.seconds_left(CALL) <= 0:
            return AwsAnswer(call, blocked_by=OUT_OF_TIME)
        host = call.service, call.region
        if cause := self.blocked_by(*host):
            return AwsAnswer(call, blocked_by=cause)
        if silent := self._silent.get(host):
            return AwsAnswer(call, fault=silent)
        answer = self._make_patiently(call)
        if answer.denied:
            return self.lent.look(answer, self.shared.seconds_left(CALL))
        if answer.fault is not None and answer.fault.reason in NOT_REACHED:
            self._silent.setdefault(host, answer.fault)  # it is not called again
        return answer

    def _make_patiently(self, call: AwsCall) -> AwsAnswer:
        """Make *call*, and again after a pause if AWS asks to slow down."""
        open_client = partial(self._client_for, call)
        for pause in (*PAUSES, 0.0):
            answer = make_within(self.shared.seconds_left(CALL), call, open_client)
            if answer.fault is None or answer.fault.reason != "throttled":
                break
            time.sleep(self.shared.seconds_left(pause))
        return answer

    def ask_once(self, call: AwsCall) -> AwsAnswer:
        """Make *call* if it was not made before; return the one answer."""
        parameters = repr(sorted(call.parameters.items()))
        key = ("call", call.service, call.operation, call.region, parameters)
        return self.cache.get(key, lambda: self.ask(call))

    def ask_all(self, wanted: Sequence[AwsCall], most: float = 2 * CALL) -> list[AwsAnswer]:
        """Make the *wanted* calls at the same time, each once; return their answers.

        A call without an answer after *most* seconds counts as blocked by the time limit.
        """
        pending = [deadlines.start_thread(partial(self.ask_once, call)) for call in wanted]
        ends = time.monotonic() + self.shared.seconds_left(most)
        answers = []
        for call, future in zip(wanted, pending, strict=True):
            try:
                answers.append(future.result(max(0.0, ends - time.monotonic())))
            except TimeoutError:
                answers.append(AwsAnswer(call, blocked_by=OUT_OF_TIME))
        return answers

    def client(self, service: str, region: str) -> Any:
        """Return a client with short timeouts; for S3, one that follows no redirect."""
        return self.cache.get(("client", service, region), lambda: self._client(service, region))

    def _client_for(self, call: AwsCall) -> Any:
        bucket = str(call.parameters.get("Bucket", ""))
        if call.service == "s3" and self.source.own_credentials(bucket):
            return self.stores(bucket).client(call.region)
        return self.client(call.service, call.region)

    def _client(self, service: str, region: str) -> Any:
        if service == "s3":
            return self.stores().client(region)
        return self._make_client(self.session, service, region)

    def _lent_client(self, call: AwsCall) -> Any:
        """Return a client for *call* with the keys of the profile that was lent."""
        session = self.cache.get("lent session", self._lent_session)
        if call.service == "s3":
            return Stores(session, self.bucket_access).client(call.region)
        return self._make_client(session, call.service, call.region)

    def _lent_session(self) -> boto3.Session:
        lent = Credentials(kind="default", profile=self.shared.profile)
        region = self.source.queue.region
        return sessions.make_session(lent, source="doctor", sts_region=region, network=self.network)

    def _make_client(self, session: boto3.Session, service: str, region: str) -> Any:
        return clients.make_client(
            session,
            service,
            region,
            network=self.service_network(service, region),
            limits=clients.CallLimits(CONNECT, CALL, attempts=1),
        )

    @property
    def network(self) -> Network:
        """How the source connects to AWS."""
        source = self.source
        return self.shared.settings.network.with_hosts(fips=source.fips, dualstack=source.dualstack)

    def service_network(self, service: str, region: str) -> Network:
        """How the source connects to *service* in *region*; SQS as its queue's URL says."""
        queue = self.source.queue
        if service != "sqs":
            return self.network
        endpoint = queue.endpoint if region == queue.region else None
        return queue_network(self.network, replace(queue, endpoint=endpoint))

    def stores(self, bucket: str = "") -> Stores:
        """Return the S3 clients for *bucket*, with the credentials that the line uses for it."""
        key = ("stores", self.source.own_credentials(bucket))
        return self.cache.get(key, lambda: Stores(self.session_for(bucket), self.bucket_access))

    @property
    def bucket_access(self) -> BucketAccess:
        """How the line accesses the buckets, with shorter timeouts."""
        source = self.source
        return BucketAccess(
            home=source.queue.region,
            network=self.network,
            bucket_region=source.bucket_region,
            strict_region=source.strict_region,
            owner=source.expected_bucket_owner,
            connect_timeout=CONNECT,
            read_timeout=CALL,
            total_timeout=2 * CALL,
        )

    def _session(self, glob: str = "") -> boto3.Session:
        return sessions.make_session(
            self.source.bucket_credentials[glob] if glob else self.source.credentials,
            source=self.name,
            sts_region=self.source.queue.region,
            network=self.network,
        )
