"""The instance metadata service (IMDS), version 2: the keys of an EC2 instance's role.

A token is asked for with PUT, then the keys with it.  The answer to that PUT, and to nothing else,
crosses as many hops as the instance's hop limit says, one by default; a container is one hop
further away.  botocore only says that it has no keys then, so ``explain`` looks.

The service answers this host alone, and a proxy is another host, whose own role it would hand out.
botocore asks through ``HTTP_PROXY`` all the same; here it is asked directly, whatever ``NO_PROXY``
says, as botocore itself asks the services of ECS and EKS.
"""

from typing import Any

from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys
from botocore.credentials import InstanceMetadataProvider
from botocore.exceptions import (
    BotoCoreError,
    InvalidIMDSEndpointError,
    MetadataRetrievalError,
    ReadTimeoutError,
)
from botocore.httpsession import URLLib3Session
from botocore.session import Session
from botocore.utils import (
    InstanceMetadataFetcher,
    ensure_boolean,
    resolve_imds_endpoint_mode,
)

TIMEOUT = 2  # seconds; the service is on the host itself
ATTEMPTS = 3
REFRESH_AHEAD = 900  # seconds before the end, as botocore does for roles

_DISABLED = {"ec2_metadata_disabled": (None, "AWS_EC2_METADATA_DISABLED", False, ensure_boolean)}


class MetadataSilent(MetadataRetrievalError):
    """The service is there, and its answer to the request for a token does not arrive."""

    fmt = "{error_msg}"


def instance() -> Keys | None:
    """Ask the service, version 2 of it and nobody else, for the keys of the instance's role.

    Raises what botocore raises, and MetadataSilent.
    """
    core = Session()
    try:
        found: Keys | None = InstanceMetadataProvider(iam_role_fetcher=_fetcher(core)).load()
    except MetadataRetrievalError:
        explain(core)
        raise
    return found


def keep_near(core: Session) -> Session:
    """Have the default chain of *core* ask the service directly, not through a proxy; return it.

    Raises what botocore raises for a configuration that it cannot read.
    """
    core.set_config_variable("defaults_mode", "legacy")  # "auto" asks the service for the region
    chain = core.get_component("credential_provider")
    # also the one that a profile's credential_source = "Ec2InstanceMetadata" leads to
    _without_proxy(chain.get_provider("iam-role")._role_fetcher)  # noqa: SLF001 - no other way in
    return core


def explain(core: Session) -> None:
    """Raise MetadataSilent if that is why *core* found no keys; only for where it found none."""
    try:
        url = f"{_fetcher(core).get_base_url().rstrip('/')}/latest/api/token"
    except InvalidIMDSEndpointError:
        return
    if Session(session_vars=_DISABLED).get_config_variable("ec2_metadata_disabled"):
        return
    headers = {"x-aws-ec2-metadata-token-ttl-seconds": "60"}
    asked = AWSRequest(method="PUT", url=url, headers=headers)
    try:
        URLLib3Session(timeout=TIMEOUT).send(asked.prepare())
    except ReadTimeoutError as error:
        said = (
            f"the instance metadata service took the connection, and no answer to PUT {url} came "
            f"in {TIMEOUT} s: in a container that is the instance's hop limit"
        )
        raise MetadataSilent(error_msg=said) from error
    except BotoCoreError:
        return  # nobody there, as anywhere but on EC2


def _fetcher(core: Session) -> InstanceMetadataFetcher:
    config = {
        "ec2_metadata_service_endpoint": core.get_config_variable("ec2_metadata_service_endpoint"),
        "ec2_metadata_service_endpoint_mode": resolve_imds_endpoint_mode(core),
        "ec2_credential_refresh_window": REFRESH_AHEAD,
        "ec2_metadata_v1_disabled": True,
    }
    return _without_proxy(
        InstanceMetadataFetcher(
            timeout=TIMEOUT,
            num_attempts=ATTEMPTS,
            user_agent=core.user_agent(),
            config=config,
        )
    )


def _without_proxy(fetcher: Any) -> InstanceMetadataFetcher:
    """Have *fetcher* connect directly; botocore gave it the environment's proxies."""
    fetcher._session = URLLib3Session(timeout=fetcher._timeout)  # noqa: SLF001 - it has no option
    made: InstanceMetadataFetcher = fetcher
    return made
