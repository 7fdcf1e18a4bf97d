"""The configuration of an event source's AWS credentials; makes no client."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from trailcourier.secret import Secret

Kind = Literal["default", "iam-user", "instance-profile", "assume-role"]

# the kinds that each field belongs to, and the fields that each kind requires
_KINDS_OF_FIELD: dict[str, frozenset[Kind]] = {
    "access_key_id": frozenset({"iam-user", "assume-role"}),
    "secret_access_key": frozenset({"iam-user", "assume-role"}),
    "session_token": frozenset({"iam-user", "assume-role"}),
    "profile": frozenset({"default", "assume-role"}),
    "role_arn": frozenset({"assume-role"}),
    "external_id": frozenset({"assume-role"}),
    "session_name": frozenset({"assume-role"}),
    "duration": frozenset({"assume-role"}),
    "sts_region": frozenset({"assume-role"}),
}
_REQUIRED: dict[Kind, frozenset[str]] = {
    "default": frozenset(),
    "iam-user": frozenset({"access_key_id", "secret_access_key"}),
    "instance-profile": frozenset(),
    "assume-role": frozenset({"role_arn"}),
}
_ROLE_ARN = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):role/[\w+=,.@/-]{1,512}", re.ASCII)


class Credentials(BaseModel):
    """The credentials of a source; *kind* selects how they are obtained.

    - ``default``: AWS's default chain (environment, files, container, instance).
    - ``iam-user``: an access key pair.
    - ``instance-profile``: only the instance metadata service.
    - ``assume-role``: STS AssumeRole for *role_arn*, called with the key pair if one is set, else
      with the default chain (or *profile*).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: Kind = "default"
    profile: str | None = Field(None, min_length=1, description="a profile of the AWS config files")
    access_key_id: Secret | None = Field(None, validate_default=True)
    secret_access_key: Secret | None = Field(None, validate_default=True)
    session_token: Secret | None = None
    role_arn: str | None = Field(None, validate_default=True)
    external_id: Secret | None = None
    session_name: str | None = Field(
        None,
        pattern=r"^[\w+=,.@-]{2,64}$",
        description='shown in CloudTrail of the role\'s account; default: "trailcourier-" + source',
    )
    duration: int | None = Field(
        None,
        ge=900,
        le=43_200,
        description="lifetime of the session in seconds; default: AWS's 3600",
    )
    sts_region: str | None = Field(
        None, description="region of the STS endpoint; default: the queue's"
    )

    @field_validator(*_KINDS_OF_FIELD, mode="after")
    @classmethod
    def _fits_kind(cls, value: object, info: ValidationInfo) -> object:
        kind: Kind | None = info.data.get("kind")
        name = info.field_name or ""
        if kind is None:  # kind is invalid and has its own error
            return value
        if value is None and name in _REQUIRED[kind]:
            raise ValueError(f'is required for kind "{kind}"')
        if value is not None and kind not in _KINDS_OF_FIELD[name]:
            kinds = " or ".join(f'"{each}"' for each in sorted(_KINDS_OF_FIELD[name]))
            raise ValueError(f'does not belong to kind "{kind}"; it is for {kinds}')
        return value

    @field_validator("secret_access_key", "session_token")
    @classmethod
    def _paired(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if "access_key_id" in info.data and (value is None) != (info.data["access_key_id"] is None):
            if value is None:
                raise ValueError("is required, because access_key_id is set")
            raise ValueError("requires access_key_id, which is not set")
        return value

    @field_validator("role_arn")
    @classmethod
    def _is_role_arn(cls, value: str | None) -> str | None:
        if value is not None and not _ROLE_ARN.fullmatch(value):
            raise ValueError("is not a role ARN (example: arn:aws:iam::111122223333:role/NAME)")
        return value

    @property
    def partition(self) -> str | None:
        """The partition of *role_arn* (aws, aws-cn, aws-us-gov, ...); None without a role."""
        found = _ROLE_ARN.fullmatch(self.role_arn or "")
        return found.group(1) if found else None
