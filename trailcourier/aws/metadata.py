"""The instance metadata service (IMDS), version 2: the keys of an EC2 instance's role.

A client requests a token with PUT, then the keys with that token.  Only the response to the PUT is
bounded by the instance's hop limit, one hop by default; a container is one hop further away.
botocore then reports only that it found no keys, so ``raise_if_silent`` repeats the PUT.

The service answers only its own host.  A proxy is another host: through it, the service would
return the keys of the proxy's role.  botocore uses ``HTTP_PROXY`` for it nevertheless; this module
connects directly, whatever ``NO_PROXY`` says, as botocore does for the services of ECS and EKS.
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

TIMEOUT = 2  # seconds; the service runs on the host itself
ATTEMPTS = 3
REFRESH_AHEAD = 900  # seconds before expiry, as botocore does for roles

_DISABLED = {"ec2_metadata_disabled": (None, "AWS_EC2_METADATA_DISABLED", False, ensure_boolean)}


class MetadataSilent(MetadataRetrievalError):
    """The service accepts connections, but its response to the token request does not arrive."""

    fmt = "{error_msg}"


def load_instance_keys() -> Keys | None:
    """Return the keys of the instance's role, from IMDSv2 only; None if there is no role.

    Raises botocore's errors, and MetadataSilent.
    """
    core = Session()
    try:
        found: Keys | None = InstanceMetadataProvider(iam_role_fetcher=_fetcher(core)).load()
    except MetadataRetrievalError:
        raise_if_silent(core)
        raise
    return found


def bypass_proxy(core: Session) -> Session:
    """Make the default chain of *core* connect to the service without a proxy; return *core*.

    Raises botocore's errors for a configuration that it cannot read.
    """
    core.set_config_variable("defaults_mode", "legacy")  # "auto" asks IMDS for a region
    chain = core.get_component("credential_provider")
    # a profile with credential_source = "Ec2InstanceMetadata" uses the same provider
    _without_proxy(chain.get_provider("iam-role")._role_fetcher)  # noqa: SLF001 - no public access
    return core


def raise_if_silent(core: Session) -> None:
    """Raise MetadataSilent if that is why *core* found no keys; call it only if it found none."""
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
        message = (
            f"the instance metadata service accepted the connection, but did not answer PUT {url} "
            f"within {TIMEOUT} s: in a container, raise the instance's hop limit to 2"
        )
        raise MetadataSilent(error_msg=message) from error
    except BotoCoreError:
        return  # no such service, as anywhere but on EC2


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
    """Make *fetcher* connect directly; botocore gave it the environment's proxies."""
    fetcher._session = URLLib3Session(timeout=fetcher._timeout)  # noqa: SLF001 - no public option
    direct: InstanceMetadataFetcher = fetcher
    return direct
