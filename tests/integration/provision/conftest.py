"""A separate set-up for each test on moto's server, behind a gate that can deny calls."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from tests.support.aws_answers import session
from tests.support.aws_gate import Gate
from trailcourier import provision
from trailcourier.aws import clients
from trailcourier.aws.network import Network
from trailcourier.provision import AccountFacts, SetupRequest, StepReport

ACCOUNT = "123456789012"


class Site:
    """One set-up: its request, and what applying or destroying its plan reports."""

    def __init__(self, gate: Gate, **options: Any) -> None:
        self.gate = gate
        self.request = SetupRequest(**{"name": f"t{secrets.token_hex(4)}", **options})
        self.facts = AccountFacts(account=ACCOUNT, organization_id="o-1234567890", plain_http=True)
        self.known: dict[str, Any] = {}
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def layout(self) -> provision.Layout:
        return provision.Layout(self.request, self.facts)

    @property
    def steps(self) -> tuple[provision.Step, ...]:
        return provision.plan(self.request, self.facts)

    def client(self, service: str, region: str = "") -> Any:
        key = (service, region or self.request.region)
        if key not in self._clients:
            network = Network(endpoint_url=self.gate.url)
            self._clients[key] = clients.make_client(
                session(), *key, network=network, limits=clients.CallLimits(attempts=1)
            )
        return self._clients[key]

    def runner(self) -> provision.StepRunner:
        return provision.StepRunner(
            self.client, self.name, known={"external_id": "an-id"}, caller="me", patience=0
        )

    def apply(self) -> dict[str, StepReport]:
        runner = self.runner()
        reports = {each.step: each for each in provision.apply(self.steps, runner)}
        self.known = runner.known
        return reports

    def preview_apply(self) -> dict[str, StepReport]:
        return {each.step: each for each in provision.preview_apply(self.steps, self.runner())}

    def destroy(self) -> dict[str, StepReport]:
        return {each.step: each for each in provision.destroy(self.steps, self.runner())}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def gate(moto: str) -> Iterator[Gate]:
    with Gate(moto) as opened:
        yield opened


@pytest.fixture
def site(gate: Gate):
    """Return a function that builds a set-up with the given options."""
    return lambda **options: Site(gate, **options)
