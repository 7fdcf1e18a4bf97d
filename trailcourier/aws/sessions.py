"""boto3 sessions for each kind of credentials.

The credentials of every session renew themselves before they expire.  ``forget_keys`` makes the
session load them again at the next use: read the files again, assume the role again.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import boto3
import msgspec
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    ReadOnlyCredentials,
    RefreshableCredentials,
)
from botocore.credentials import Credentials as Keys
from botocore.exceptions import BotoCoreError, CredentialRetrievalError, NoCredentialsError
from botocore.loaders import create_loader
from botocore.session import Session

from trailcourier.aws import metadata, responses
from trailcourier.aws.clients import make_client
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.errors import ConfigError
from trailcourier.once_cache import OnceCache
from trailcourier.secret import Secret

# When a role's keys are renewed, in seconds before they expire: from ADVISORY on botocore tries,
# from MANDATORY on every request waits for it.  These are botocore's values for keys of an hour.
ADVISORY, MANDATORY = 900, 600

# what botocore does not wrap: a token file that is missing (OSError) or has no token (ValueError),
# a response without keys (KeyError), keys that have already expired (RuntimeError)
_UNWRAPPED_ERRORS = (OSError, ValueError, KeyError, RuntimeError)


class KeysInUse(msgspec.Struct, frozen=True):
    """A description of the keys that a session uses.

    *method* is botocore's name for their source.  *temporary* keys expire at *ends* and are renewed
    before; *ends* is None if the time is not known.
    """

    method: str
    temporary: bool
    ends: datetime | None = None


class RenewableKeys(Keys):
    """Credentials loaded by *load* at the first use, and at the first use after ``forget``.

    The credentials that *load* returns may renew themselves as well.
    """

    def __init__(self, load: Callable[[], Keys | None], method: str) -> None:
        self._load = load
        self._loaded = OnceCache()
        self.method = method

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the current keys; raises botocore's errors if there are none."""
        try:
            return self._loaded.get("keys", self._load_some).get_frozen_credentials()
        except (BotoCoreError, ConfigError):
            raise
        except _UNWRAPPED_ERRORS as error:
            message = f"{type(error).__name__}: {error}"
            raise CredentialRetrievalError(provider=self.method, error_msg=message) from error

    def forget(self) -> None:
        """Discard the keys; the next use loads them again."""
        self._loaded.clear()

    def describe(self) -> KeysInUse:
        """Describe the current keys; raises as ``get_frozen_credentials`` does."""
        token = self.get_frozen_credentials().token
        loaded = self._loaded.peek("keys")
        return KeysInUse(
            method=getattr(loaded, "method", None) or self.method,
            temporary=token is not None,
            ends=getattr(loaded, "_expiry_time", None),
        )

    def _load_some(self) -> Keys:
        loaded = self._load()
        if loaded is None:
            raise NoCredentialsError
        return loaded

    def __getattr__(self, name: str) -> Any:
        """Return ``access_key``, ``secret_key``, ``token`` or ``account_id``, for botocore."""
        if name in ReadOnlyCredentials._fields:
            return getattr(self.get_frozen_credentials(), name)
        raise AttributeError(name)


class _FixedProvider(CredentialProvider):
    """A credential provider that returns the given *keys*."""

    METHOD = CANONICAL_NAME = "trailcourier"

    def __init__(self, keys: Keys) -> None:
        super().__init__()
        self._keys = keys

    def load(self) -> Keys:
        return self._keys


class _StsEndpoint(msgspec.Struct, frozen=True):
    """The STS endpoint that assumes a role, and how to reach it."""

    region: str
    network: Network

    def client(self, caller: boto3.Session, region: str | None = None) -> Any:
        return make_client(caller, "sts", region or self.region, network=self.network)


def make_session(
    credentials: Credentials,
    *,
    source: str,
    sts_region: str,
    network: Network,
) -> boto3.Session:
    """Return a session that uses *credentials*; makes no request before the session is used.

    *source* names the role session, and *sts_region* the region of STS, if the credentials do not.
    """
    sts = _StsEndpoint(sts_region, network)

    def load() -> Keys | None:
        match credentials.kind:
            case "iam-user":
                return _access_key(credentials)
            case "instance-profile":
                return metadata.load_instance_keys()
            case "assume-role":
                return _role_keys(credentials, source=source, sts=sts)
            case _:
                return _default_chain_keys(credentials.profile, sts)

    return _session_with(RenewableKeys(load, credentials.kind), credentials.profile)


def forget_keys(session: boto3.Session) -> None:
    """Make *session* load its credentials again at the next use; for keys that AWS rejected."""
    keys = session.get_credentials()
    if isinstance(keys, RenewableKeys):
        keys.forget()


def describe_keys(session: boto3.Session) -> KeysInUse:
    """Describe the keys of *session*, which ``make_session`` made.

    Loads them if nothing has used them yet; raises botocore's errors if there are none.
    """
    keys = session.get_credentials()
    if not isinstance(keys, RenewableKeys):
        raise NoCredentialsError
    return keys.describe()


_loaders = OnceCache()  # one, for all sessions: its service models cost 10 MB and 0.2 s


def _session_with(keys: Keys, profile: str | None = None) -> boto3.Session:
    core = responses.reject_foreign(Session(profile=profile))
    core.register_component("credential_provider", CredentialResolver([_FixedProvider(keys)]))
    core.register_component("data_loader", _loaders.get("shared", create_loader))
    return boto3.Session(botocore_session=core)


def _default_chain_keys(profile: str | None, sts: _StsEndpoint) -> Keys | None:
    """Load keys from AWS's default chain; its STS calls use *sts* unless a profile differs."""
    core = metadata.bypass_proxy(responses.reject_foreign(Session(profile=profile)))
    if core.get_config_variable("region") is None:
        core.set_config_variable("region", sts.region)
    for name, wanted in (("fips", sts.network.fips), ("dualstack", sts.network.dualstack)):
        if wanted:
            core.set_config_variable(f"use_{name}_endpoint", True)
    found: Keys | None = core.get_credentials()
    if found is None:
        metadata.raise_if_silent(core)
    return found


def _access_key(credentials: Credentials) -> Keys:
    return Keys(
        _reveal(credentials.access_key_id) or "",
        _reveal(credentials.secret_access_key) or "",
        _reveal(credentials.session_token),
        method="iam-user",
    )


def _reveal(secret: Secret | None) -> str | None:
    try:
        return secret.reveal().strip() if secret else None
    except ConfigError as error:
        raise CredentialRetrievalError(provider="a file", error_msg=str(error)) from error


def _role_keys(credentials: Credentials, *, source: str, sts: _StsEndpoint) -> Keys:
    """Assume the role with the key pair, or else with keys from the default chain.

    The keys are renewed in the last quarter of their lifetime.  botocore's own renewal time (900 s)
    is the whole lifetime of the shortest session, which it would renew with every request.
    """
    has_key = credentials.access_key_id is not None
    with_keys = (
        _access_key(credentials) if has_key else _default_chain_keys(credentials.profile, sts)
    )
    if with_keys is None:
        raise NoCredentialsError
    caller = _session_with(with_keys)

    def sts_client(*_: object, **__: object) -> Any:
        return sts.client(caller, credentials.sts_region)

    extra: dict[str, Any] = {
        "RoleSessionName": credentials.session_name or f"trailcourier-{source}"[:64],
        "ExternalId": _reveal(credentials.external_id),
        "DurationSeconds": credentials.duration,
    }
    fetcher = AssumeRoleCredentialFetcher(
        sts_client,
        with_keys,
        credentials.role_arn or "",
        extra_args={name: value for name, value in extra.items() if value is not None},
    )
    first = fetcher.fetch_credentials()
    ends = datetime.fromisoformat(first["expiry_time"])
    lifetime = max(0, int((ends - datetime.now(ends.tzinfo)).total_seconds()))
    keys: Keys = RefreshableCredentials.create_from_metadata(
        first,
        fetcher.fetch_credentials,
        "assume-role",
        advisory_timeout=min(ADVISORY, lifetime // 4),
        mandatory_timeout=min(MANDATORY, lifetime // 6),
    )
    return keys
