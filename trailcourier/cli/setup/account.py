"""The account that ``setup`` works in, as whoever runs it."""

from collections.abc import Mapping
from typing import Any

import boto3

from trailcourier import aws, provision
from trailcourier.credentials import Credentials
from trailcourier.egress import Egress
from trailcourier.errors import ConfigError
from trailcourier.provision import Found, Request, facts
from trailcourier.settings import environment


class Account:
    """Clients for *request*, by AWS's default chain of credentials or *profile*."""

    def __init__(self, request: Request, profile: str = "") -> None:
        self.request = request
        self.egress, problems = environment.egress(environment.environ())
        if problems:
            raise ConfigError(problems)
        self._profile = profile or None
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def session(self) -> boto3.Session:
        if self._session is None:
            self._session = _session(self._profile, self.request.region, self.egress)
        return self._session

    def client(self, service: str, region: str) -> Any:
        key = (service, region)
        if key not in self._clients:
            self._clients[key] = aws.client(self.session, *key, egress=self.egress)
        return self._clients[key]

    def found(self) -> Found:
        """Ask AWS what the plan needs to know; raises Unreachable or ConfigError."""
        return facts.found(self.request, self.client)

    def asker(self, found: Found, known: Mapping[str, Any] | None = None) -> provision.Asker:
        return provision.Asker(
            self.client, self.request.name, known=known or {}, caller=found.caller
        )


def _session(profile: str | None, region: str, egress: Egress) -> boto3.Session:
    return aws.session(
        Credentials(profile=profile), source="setup", sts_region=region, egress=egress
    )
