"""boto3 clients for one service in one region, with every timeout set."""

import threading
from typing import Any

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from trailcourier.aws.network import Network
from trailcourier.errors import ConfigError

# AWS_DEFAULTS_MODE=auto would ask the metadata service for a region. Any: the stubs say bool.
_LEGACY: Any = "legacy"

_making = threading.Lock()  # creating clients from one session is not thread-safe; using them is


class CallLimits(msgspec.Struct, frozen=True):
    """Timeouts in seconds, and how many *attempts* a call has, including the first.

    *read* must exceed the longest SQS long poll (20 s).
    """

    connect: float = 5
    read: float = 25
    attempts: int = 3


CALL_LIMITS = CallLimits()


def make_client(
    session: boto3.Session,
    service: str,
    region: str,
    *,
    network: Network,
    limits: CallLimits = CALL_LIMITS,
) -> Any:
    """Return a client with bounded timeouts and retries; makes no request.

    Raises ConfigError for an unknown profile or an invalid endpoint.
    """
    url = network.endpoint(service)
    config = Config(
        connect_timeout=limits.connect,
        read_timeout=limits.read,
        retries={"mode": "standard", "total_max_attempts": limits.attempts},
        max_pool_connections=64,  # more than a process has threads; idle ones cost nothing
        user_agent_extra="trailcourier",
        defaults_mode=_LEGACY,
        # for AWS's own hosts only, by botocore's endpoint rules
        use_fips_endpoint=None if url else network.fips or None,
        use_dualstack_endpoint=None if url else network.dualstack or None,
        proxies={},  # with None botocore reads the environment
        **(_s3_config(url) if service == "s3" else {}),
    )
    with _making:
        direct = _create(session, service, region, network, config)
        # only the client knows its endpoint, which decides whether a proxy is used
        host = direct.meta.endpoint_url
        proxy = network.proxy(host)
        if proxy is None:
            return direct
        proxied = config.merge(Config(proxies={host.partition(":")[0]: proxy}))
        return _create(session, service, region, network, proxied)


def _s3_config(url: str | None) -> dict[str, Any]:
    return {
        "signature_version": "s3v4",
        "response_checksum_validation": "when_required",
        "s3": {
            # the global host of us-east-1 also serves other regions, with different answers
            "us_east_1_regional_endpoint": "regional",
            # servers other than AWS rarely resolve a host name per bucket
            "addressing_style": "path" if url else "auto",
        },
    }


def _create(
    session: boto3.Session, service: str, region: str, network: Network, config: Config
) -> Any:
    name: Any = service  # boto3's stubs accept literal service names only
    bundle = str(network.ca_bundle) if network.ca_bundle else None
    url = network.endpoint(service)
    try:
        return session.client(
            name, region_name=region, endpoint_url=url, verify=bundle, config=config
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigError([f"cannot create a {service} client for {region}: {error}"]) from error
