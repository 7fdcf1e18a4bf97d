"""The AWS account that ``setup`` works in, with its caller's credentials."""

from collections.abc import Callable, Mapping
from typing import Any

import boto3

from trailcourier import provision
from trailcourier.aws import clients, sessions
from trailcourier.aws.credentials import Credentials
from trailcourier.errors import ConfigError
from trailcourier.provision import AccountFacts, SetupRequest, account_facts
from trailcourier.settings import environment


class SetupAccount:
    """Clients for *request*, with the credentials of *profile* or of AWS's default chain.

    Raises ConfigError if the environment's proxy, CA or endpoint settings are wrong.
    """

    def __init__(self, request: SetupRequest, profile: str = "") -> None:
        self.request = request
        self.network, problems = environment.network(environment.environ())
        if problems:
            raise ConfigError(problems)
        self._profile = profile or None
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def session(self) -> boto3.Session:
        if self._session is None:
            self._session = sessions.make_session(
                Credentials(profile=self._profile),
                source="setup",
                sts_region=self.request.region,
                network=self.network,
            )
        return self._session

    def client(self, service: str, region: str) -> Any:
        key = (service, region)
        if key not in self._clients:
            self._clients[key] = clients.make_client(self.session, *key, network=self.network)
        return self._clients[key]

    def collect_facts(self) -> AccountFacts:
        """Ask AWS what the plan needs to know; raises Unreachable or ConfigError."""
        return account_facts.collect(self.request, self.client)

    def collect_with_trails(self) -> AccountFacts:
        """Also ask which trails exist, for a verb that may create another."""
        return account_facts.find_trails(self.request, self.collect_facts(), self.client)

    def runner(
        self,
        facts: AccountFacts,
        known: Mapping[str, Any] | None = None,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> provision.StepRunner:
        return provision.StepRunner(
            self.client, self.request.name, known=known or {}, caller=facts.caller, on_wait=on_wait
        )
