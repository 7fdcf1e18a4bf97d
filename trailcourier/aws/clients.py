"""Clients of one service in one region, with every wait bounded."""

import threading
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from trailcourier.egress import Egress
from trailcourier.errors import ConfigError

# "auto" of the environment would ask the metadata service for a region; Any, for the types say bool
_LEGACY: Any = "legacy"

_making = threading.Lock()  # a session may not make two clients at once; the clients are safe


def client(
    session: boto3.Session,
    service: str,
    region: str,
    *,
    egress: Egress,
    endpoint: str | None = None,
    fips: bool = False,
    dualstack: bool = False,
    connect: float = 5,
    read: float = 25,
    attempts: int = 3,
) -> Any:
    """Return a client that gives up: *connect* and *read* are seconds, *attempts* counts all.

    *read* is longer than the longest long poll of SQS (20 s).  *endpoint* is for where *egress*
    names none.  FIPS and dual-stack apply to AWS's own hosts, by botocore's endpoint rules.
    Nothing is asked of AWS yet.  Raises ConfigError for a profile or an endpoint that is none.
    """
    url = egress.endpoint(service) or endpoint
    config = Config(
        connect_timeout=connect,
        read_timeout=read,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=64,  # more than a process has threads; idle ones cost nothing
        user_agent_extra="trailcourier",
        defaults_mode=_LEGACY,
        use_fips_endpoint=None if url else fips or None,
        use_dualstack_endpoint=None if url else dualstack or None,
        proxies={},  # None would have botocore read the environment
        **(_s3(url) if service == "s3" else {}),
    )
    with _making:
        made = _make(session, service, region, url=url, egress=egress, config=config)
        host = made.meta.endpoint_url
        proxy = egress.proxy(host)
        if proxy is None:
            return made
        through = config.merge(Config(proxies={host.partition(":")[0]: proxy}))
        return _make(session, service, region, url=url, egress=egress, config=through)


def _s3(url: str | None) -> dict[str, Any]:
    return {
        "signature_version": "s3v4",
        "response_checksum_validation": "when_required",
        "s3": {
            # the global host of us-east-1 answers for other regions too, and differently
            "us_east_1_regional_endpoint": "regional",
            # servers that are not AWS seldom have a host for each bucket
            "addressing_style": "path" if url else "auto",
        },
    }


def _make(
    session: boto3.Session,
    service: str,
    region: str,
    *,
    url: str | None,
    egress: Egress,
    config: Config,
) -> Any:
    name: Any = service  # boto3's types know services by literal names only
    bundle = str(egress.ca_bundle) if egress.ca_bundle else None
    try:
        return session.client(
            name, region_name=region, endpoint_url=url, verify=bundle, config=config
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigError([f"no client of {service} in {region} can be made: {error}"]) from error
