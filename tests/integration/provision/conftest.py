"""A set-up of one's own on moto's server, behind a gate that may deny calls."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from tests.aws_answers import session
from tests.aws_gate import Gate
from trailcourier import aws, provision
from trailcourier.egress import Egress
from trailcourier.provision import Found, Request, Told

ACCOUNT = "123456789012"


class Site:
    """One set-up: its request, and what walking its plan says."""

    def __init__(self, gate: Gate, **choices: Any) -> None:
        self.gate = gate
        self.request = Request(**{"name": f"t{secrets.token_hex(4)}", **choices})
        self.found = Found(account=ACCOUNT, organization_id="o-1234567890")
        self.known: dict[str, Any] = {}
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def layout(self) -> provision.Layout:
        return provision.Layout(self.request, self.found)

    @property
    def steps(self) -> tuple[provision.Step, ...]:
        return provision.plan(self.request, self.found)

    def client(self, service: str, region: str = "") -> Any:
        key = (service, region or self.request.region)
        if key not in self._clients:
            egress = Egress(endpoint_url=self.gate.url)
            self._clients[key] = aws.client(session(), *key, egress=egress, attempts=1)
        return self._clients[key]

    def asker(self) -> provision.Asker:
        return provision.Asker(self.client, self.name, known={"external_id": "an-id"}, caller="me")

    def apply(self) -> dict[str, Told]:
        asker = self.asker()
        told = {each.step: each for each in provision.apply(self.steps, asker)}
        self.known = asker.known
        return told

    def survey(self) -> dict[str, Told]:
        return {each.step: each for each in provision.survey(self.steps, self.asker())}

    def destroy(self) -> dict[str, Told]:
        return {each.step: each for each in provision.destroy(self.steps, self.asker())}


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
    """Make a set-up with the choices given."""
    return lambda **choices: Site(gate, **choices)
