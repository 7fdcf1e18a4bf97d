"""Whether records really come: what ``setup apply`` tries once the AWS side is there."""

from typing import Annotated, Any

import boto3
import msgspec
from msgspec import Meta

from trailcourier.aws import clients, sessions
from trailcourier.cli.setup import proof
from trailcourier.cli.setup.account import SetupAccount
from trailcourier.cli.setup.proof import ProofFinding
from trailcourier.provision import Layout, configuration, first_file, first_receive, trail_advice
from trailcourier.settings import Settings, Source

FIRST_RECEIVE = 20  # seconds; SQS lets no receive wait longer


class Liveness(msgspec.Struct, frozen=True):
    """Whether the source works, as far as it can be tried now."""

    good: Annotated[bool, Meta(description="nothing that was tried failed")]
    proved: Annotated[bool, Meta(description="a log file was read as the collector reads it")]
    summary: Annotated[
        str, Meta(description="whether the queue could be received from, and what it held")
    ] = msgspec.field(name="words")
    findings: Annotated[
        tuple[ProofFinding, ...], Meta(description="doctor's warnings and errors")
    ] = ()


class LiveTest:
    """Tries the source of *layout*: as the collector where its credentials work on this host.

    *loaded* is None where the configuration has errors. *wait* is how many seconds to wait for the
    first log file; *send* sends each sink a test record.
    """

    def __init__(
        self,
        account: SetupAccount,
        layout: Layout,
        loaded: Settings | None,
        url: str,
        *,
        wait: int,
        send: bool,
    ) -> None:
        self._account, self._layout, self._loaded, self._url = account, layout, loaded, url
        self._wait, self._send = wait, send

    @property
    def _source(self) -> Source | None:
        """The source, if this host has the collector's credentials."""
        if self._loaded is None or self._layout.request.reader != "user":
            return None
        return self._loaded.sources.get(self._layout.request.source)

    def run(self) -> Liveness:
        """Wait for a log file if wanted, receive once, and have doctor check the source."""
        client = self._client("s3", self._layout.bucket_region)
        if self._wait > FIRST_RECEIVE:
            first_file.wait(self._layout, client, seconds=self._wait, on_wait=proof.say_waiting)
        received = self._receive_once()
        if stopped := self._explain_stopped_trail():
            return Liveness(False, False, f"{stopped} ({received.summary})")
        if not received.good or self._source is None or self._loaded is None:
            return Liveness(received.good, False, received.summary)
        name = self._layout.request.source
        key, denied = first_file.look(self._layout, client)
        found = proof.examine(
            self._loaded, name, send=self._send, without_files=not key and not denied
        )
        sent = "; a test record was accepted" if found.sent_record else ""
        read = "; a log file was read as the collector" if found.read_file else ""
        summary = f"{received.summary}{read}{sent}"
        return Liveness(found.good, found.good and found.read_file, summary, found.findings)

    def _session(self) -> boto3.Session:
        source = self._source
        if source is None:
            return self._account.session
        session: boto3.Session = sessions.make_session(
            source.credentials,
            source=self._layout.request.source,
            sts_region=self._layout.region,
            network=self._account.network,
        )
        return session

    def _client(self, service: str, region: str) -> Any:
        return clients.make_client(self._session(), service, region, network=self._account.network)

    def _receive_once(self) -> first_receive.ReceiveResult:
        source = self._source
        address = source.queue if source else configuration.queue_address(self._layout, self._url)
        result = first_receive.receive(
            self._session(),
            address,
            network=self._account.network,
            wait=min(self._wait, FIRST_RECEIVE),
        )
        if source:
            return result
        text = f"{result.summary} (tried with your credentials, not the collector's)"
        return first_receive.ReceiveResult(result.good, text)

    def _explain_stopped_trail(self) -> str:
        """Return how to start the trail that setup did not create; empty if it logs."""
        if self._layout.request.trail:
            return ""
        for trail in trail_advice.feeding_trails(self._layout):
            if trail.is_logging is False:
                return f"trail {trail.arn} {trail_advice.explain_logging(trail)}"
        return ""
