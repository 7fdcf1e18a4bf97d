"""The instance metadata service (IMDS), version 2: the keys of an EC2 instance's role.

A token is asked for with PUT, then the keys with it.  The answer to that PUT, and to nothing else,
crosses as many hops as the instance's hop limit says, one by default; a container is one hop
further away.  botocore only says that it has no keys then, so ``explain`` looks.
"""

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
    get_environ_proxies,
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
        URLLib3Session(timeout=TIMEOUT, proxies=get_environ_proxies(url)).send(asked.prepare())
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
    return InstanceMetadataFetcher(
        timeout=TIMEOUT,
        num_attempts=ATTEMPTS,
        user_agent=core.user_agent(),
        config=config,
    )
