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
    ReadOnlyCredentials,
    RefreshableCredentials,
)
from botocore.credentials import Credentials as Keys
from botocore.exceptions import BotoCoreError, CredentialRetrievalError, NoCredentialsError
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from trailcourier.aws import answers, metadata
from trailcourier.aws.clients import client
from trailcourier.credentials import Credentials
from trailcourier.egress import Egress
from trailcourier.errors import ConfigError
from trailcourier.secret import Secret

ADVISED, OBLIGED = 900, 600  # seconds before the end, as botocore has it for an hour's keys


# what botocore lets through of a token file that is not there (OSError) or holds no token
# (ValueError), of an answer without keys (KeyError), and says of keys that have ended already
_FOREIGN = (OSError, ValueError, KeyError, RuntimeError)


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
        try:
            with self._lock:
                if self._made is None:
                    self._made = self._make()
                made = self._made
            if made is None:
                raise NoCredentialsError
            return made.get_frozen_credentials()
        except (BotoCoreError, ConfigError):
            raise
        except _FOREIGN as error:
            said = f"{type(error).__name__}: {error}"
            raise CredentialRetrievalError(provider=self.method, error_msg=said) from error

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


class _Sts(msgspec.Struct, frozen=True):
    """Which STS a role is asked of, and how it is reached."""

    region: str
    egress: Egress
    fips: bool
    dualstack: bool

    def client(self, caller: boto3.Session, region: str | None = None) -> Any:
        return client(
            caller,
            "sts",
            region or self.region,
            egress=self.egress,
            fips=self.fips,
            dualstack=self.dualstack,
        )


def session(
    credentials: Credentials,
    *,
    source: str,
    sts_region: str,
    egress: Egress,
    fips: bool = False,
    dualstack: bool = False,
) -> boto3.Session:
    """Return a session that speaks as *credentials* say.

    Nothing is asked of AWS before the session is used.  *source* names the role's session where
    the credentials do not; *sts_region* is whose STS is asked for a role where they name none,
    which *fips* and *dualstack* are about.
    """
    sts = _Sts(sts_region, egress, fips, dualstack)

    def make() -> Keys | None:
        match credentials.kind:
            case "iam-user":
                return _keys(credentials)
            case "instance-profile":
                return metadata.instance()
            case "assume-role":
                return _role(credentials, source=source, sts=sts)
            case _:
                return _chain(credentials.profile, sts)

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
    core = answers.watch(Session(profile=profile))
    core.register_component("credential_provider", CredentialResolver([_Given(keys)]))
    core.register_component("data_loader", _models())
    return boto3.Session(botocore_session=core)


@functools.cache
def _models() -> Loader:
    """Share what botocore knows of S3 and SQS: 10 MB and 0.2 s for each session otherwise."""
    return create_loader()


def _chain(profile: str | None, sts: _Sts) -> Keys | None:
    """Ask AWS's own chain; what is in it asks STS as the source would, where nobody says how."""
    core = metadata.keep_near(answers.watch(Session(profile=profile)))
    if core.get_config_variable("region") is None:
        core.set_config_variable("region", sts.region)
    for name, wanted in (("fips", sts.fips), ("dualstack", sts.dualstack)):
        if wanted:
            core.set_config_variable(f"use_{name}_endpoint", True)
    found: Keys | None = core.get_credentials()
    if found is None:
        metadata.explain(core)
    return found


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


def _role(credentials: Credentials, *, source: str, sts: _Sts) -> Keys:
    """Assume the role as the key pair says, or else as the default chain does.

    Its keys are renewed in the last quarter of their life: botocore's own times are more than all
    of the shortest, which would be asked for again with every request.
    """
    given = credentials.access_key_id is not None
    with_keys = _keys(credentials) if given else _chain(credentials.profile, sts)
    if with_keys is None:
        raise NoCredentialsError
    caller = _session(with_keys)

    def creator(*_: object, **__: object) -> Any:
        return sts.client(caller, credentials.sts_region)

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
    first = fetcher.fetch_credentials()
    ends = datetime.fromisoformat(first["expiry_time"])
    lives = max(0, int((ends - datetime.now(ends.tzinfo)).total_seconds()))
    made: Keys = RefreshableCredentials.create_from_metadata(
        first,
        fetcher.fetch_credentials,
        "assume-role",
        advisory_timeout=min(ADVISED, lives // 4),
        mandatory_timeout=min(OBLIGED, lives // 6),
    )
    return made
