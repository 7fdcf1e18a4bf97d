"""As whom a source speaks to AWS: a boto3 session for each kind of credentials.

Whatever the kind, the session's credentials renew themselves before they end, and ``forget`` has
them made anew from their sources: files read again, the role assumed again.
"""

import functools
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import boto3
import msgspec
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
    InstanceMetadataProvider,
    ReadOnlyCredentials,
)
from botocore.credentials import Credentials as Keys
from botocore.exceptions import CredentialRetrievalError, NoCredentialsError
from botocore.loaders import Loader, create_loader
from botocore.session import Session
from botocore.utils import InstanceMetadataFetcher, resolve_imds_endpoint_mode

from trailcourier.aws.clients import client
from trailcourier.credentials import Credentials
from trailcourier.egress import Egress
from trailcourier.errors import ConfigError
from trailcourier.secret import Secret

IMDS_TIMEOUT = 2  # seconds; the service is on the host itself
IMDS_ATTEMPTS = 3
REFRESH_AHEAD = 900  # seconds before the end, as botocore does for roles


class Holding(msgspec.Struct, frozen=True):
    """What a session speaks with.

    *method* is botocore's name of where the keys are from.  Those that are *temporary* end: at
    *ends*, and are renewed before, or at a time nobody knows.
    """

    method: str
    temporary: bool
    ends: datetime | None = None


class Renewed(Keys):
    """Credentials made by *make* at first use, and again at the first use after ``forget``.

    What *make* returns may renew itself; it does so without us.
    """

    def __init__(self, make: Callable[[], Keys | None], method: str) -> None:
        self._make = make
        self._made: Keys | None = None
        self._lock = threading.Lock()
        self.method = method

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the keys of this moment; raises what botocore raises where there are none."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            made = self._made
        if made is None:
            raise NoCredentialsError
        try:
            return made.get_frozen_credentials()
        except RuntimeError as error:  # so botocore says that what it was given has ended already
            raise CredentialRetrievalError(provider=self.method, error_msg=str(error)) from error

    def forget(self) -> None:
        with self._lock:
            self._made = None

    def holding(self) -> "Holding":
        """Return what the keys of this moment are; raises as ``get_frozen_credentials`` does."""
        token = self.get_frozen_credentials().token
        with self._lock:
            made = self._made
        return Holding(
            method=getattr(made, "method", None) or self.method,
            temporary=token is not None,
            ends=getattr(made, "_expiry_time", None),
        )

    def __getattr__(self, name: str) -> Any:
        """Answer ``access_key``, ``secret_key``, ``token`` and ``account_id``, for botocore."""
        if name in ReadOnlyCredentials._fields:
            return getattr(self.get_frozen_credentials(), name)
        raise AttributeError(name)


class _Given(CredentialProvider):
    """What a session asks for credentials, where they are given."""

    METHOD = CANONICAL_NAME = "trailcourier"

    def __init__(self, keys: Keys) -> None:
        super().__init__()
        self._keys = keys

    def load(self) -> Keys:
        return self._keys


def session(
    credentials: Credentials, *, source: str, sts_region: str, egress: Egress
) -> boto3.Session:
    """Return a session that speaks as *credentials* say.

    Nothing is asked of AWS before the session is used.  *source* names the role's session where
    the credentials do not; *sts_region* is whose STS is asked for a role where they name none.
    """

    def make() -> Keys | None:
        match credentials.kind:
            case "iam-user":
                return _keys(credentials)
            case "instance-profile":
                return _instance()
            case "assume-role":
                return _role(credentials, source=source, region=sts_region, egress=egress)
            case _:
                return _chain(credentials.profile)

    return _session(Renewed(make, credentials.kind), credentials.profile)


def forget(session: boto3.Session) -> None:
    """Have the session's credentials made anew at their next use; for when AWS refused them."""
    held = session.get_credentials()
    if isinstance(held, Renewed):
        held.forget()


def holding(session: boto3.Session) -> Holding:
    """Say what *session*, one of ``session``, speaks with.

    Asks whoever issues the keys, where nobody has yet; raises what botocore raises where there
    are none.
    """
    held = session.get_credentials()
    if not isinstance(held, Renewed):
        raise NoCredentialsError
    return held.holding()


def _session(keys: Keys, profile: str | None = None) -> boto3.Session:
    core = Session(profile=profile)
    core.register_component("credential_provider", CredentialResolver([_Given(keys)]))
    core.register_component("data_loader", _models())
    return boto3.Session(botocore_session=core)


@functools.cache
def _models() -> Loader:
    """Share what botocore knows of S3 and SQS: 10 MB and 0.2 s for each session otherwise."""
    return create_loader()


def _chain(profile: str | None) -> Keys | None:
    return Session(profile=profile).get_credentials()


def _keys(credentials: Credentials) -> Keys:
    return Keys(
        _text(credentials.access_key_id) or "",
        _text(credentials.secret_access_key) or "",
        _text(credentials.session_token),
        method="iam-user",
    )


def _text(secret: Secret | None) -> str | None:
    try:
        return secret.reveal().strip() if secret else None
    except ConfigError as error:
        raise CredentialRetrievalError(provider="a file", error_msg=str(error)) from error


def _instance() -> Keys | None:
    """Ask the instance's metadata service, version 2 of it, and nothing else."""
    core = Session()
    config = {
        "ec2_metadata_service_endpoint": core.get_config_variable("ec2_metadata_service_endpoint"),
        "ec2_metadata_service_endpoint_mode": resolve_imds_endpoint_mode(core),
        "ec2_credential_refresh_window": REFRESH_AHEAD,
        "ec2_metadata_v1_disabled": True,
    }
    fetcher = InstanceMetadataFetcher(
        timeout=IMDS_TIMEOUT,
        num_attempts=IMDS_ATTEMPTS,
        user_agent=core.user_agent(),
        config=config,
    )
    return InstanceMetadataProvider(iam_role_fetcher=fetcher).load()


def _role(credentials: Credentials, *, source: str, region: str, egress: Egress) -> Keys:
    """Assume the role as the key pair says, or else as the default chain does."""
    given = credentials.access_key_id is not None
    with_keys = _keys(credentials) if given else _chain(credentials.profile)
    if with_keys is None:
        raise NoCredentialsError
    caller = _session(with_keys)

    def creator(service: str, **_: object) -> Any:
        return client(caller, service, credentials.sts_region or region, egress=egress)

    extra: dict[str, Any] = {
        "RoleSessionName": credentials.session_name or f"trailcourier-{source}"[:64],
        "ExternalId": _text(credentials.external_id),
        "DurationSeconds": credentials.duration,
    }
    fetcher = AssumeRoleCredentialFetcher(
        creator,
        with_keys,
        credentials.role_arn or "",
        extra_args={name: value for name, value in extra.items() if value is not None},
    )
    return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
