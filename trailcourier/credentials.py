"""As whom an event source speaks to AWS: what the operator writes, no client yet."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from trailcourier.secret import Secret

Kind = Literal["default", "iam-user", "instance-profile", "assume-role"]

# which kinds a field is for, and which cannot do without it
_FOR: dict[str, frozenset[Kind]] = {
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
_NEEDS: dict[Kind, frozenset[str]] = {
    "default": frozenset(),
    "iam-user": frozenset({"access_key_id", "secret_access_key"}),
    "instance-profile": frozenset(),
    "assume-role": frozenset({"role_arn"}),
}
_ROLE = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):role/[\w+=,.@/-]{1,512}", re.ASCII)


class Credentials(BaseModel):
    """Which credentials, by *kind*.

    ``default`` is AWS's own chain: environment, files, container, instance.  ``iam-user`` is a key
    pair.  ``instance-profile`` asks the instance's metadata service and nothing else.
    ``assume-role`` asks STS for *role_arn*, as the key pair if one is named, else as the default
    chain (or *profile*) says.
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
        description='shown in the trail of the role\'s account; left out: "trailcourier-" + source',
    )
    duration: int | None = Field(
        None, ge=900, le=43_200, description="seconds a session lives; left out: AWS's 3600"
    )
    sts_region: str | None = Field(None, description="left out: the queue's")

    @field_validator(*_FOR, mode="after")
    @classmethod
    def _belongs(cls, value: object, info: ValidationInfo) -> object:
        kind: Kind | None = info.data.get("kind")
        name = info.field_name or ""
        if kind is None:  # itself wrong, and said so
            return value
        if value is None and name in _NEEDS[kind]:
            raise ValueError(f'kind "{kind}" needs it')
        if value is not None and kind not in _FOR[name]:
            kinds = " or ".join(f'"{each}"' for each in sorted(_FOR[name]))
            raise ValueError(f'does not belong to kind "{kind}"; it is for {kinds}')
        return value

    @field_validator("secret_access_key", "session_token")
    @classmethod
    def _paired(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if "access_key_id" in info.data and (value is None) != (info.data["access_key_id"] is None):
            if value is None:
                raise ValueError("goes with access_key_id, which is set")
            raise ValueError("goes with access_key_id, which is not set")
        return value

    @field_validator("role_arn")
    @classmethod
    def _is_a_role(cls, value: str | None) -> str | None:
        if value is not None and not _ROLE.fullmatch(value):
            raise ValueError("is no role: arn:aws:iam::111122223333:role/NAME is one")
        return value

    @property
    def partition(self) -> str | None:
        """The partition of the role, where one is assumed: aws, aws-cn, aws-us-gov and so on."""
        found = _ROLE.fullmatch(self.role_arn or "")
        return found.group(1) if found else None
