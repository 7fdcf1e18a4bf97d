import pytest
from pydantic import ValidationError

from trailcourier.aws.credentials import Credentials

ROLE = "arn:aws:iam::111122223333:role/trailcourier"
KEYS = {"access_key_id": "env:ID", "secret_access_key": "env:KEY"}
ENVIRON = {"ID": "AKIAEXAMPLE", "KEY": "hunter2-correct-horse"}


def credentials(**fields: object) -> Credentials:
    return Credentials.model_validate(fields, context={"environ": ENVIRON})


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"profile": "audit"}, id="profile"),
        pytest.param({"kind": "iam-user", **KEYS}, id="iam-user"),
        pytest.param({"kind": "iam-user", **KEYS, "session_token": "env:KEY"}, id="session-token"),
        pytest.param({"kind": "instance-profile"}, id="instance-profile"),
        pytest.param({"kind": "assume-role", "role_arn": ROLE}, id="assume-role"),
        pytest.param({"kind": "assume-role", "role_arn": ROLE, **KEYS}, id="assume-role-by-key"),
        pytest.param(
            {
                "kind": "assume-role",
                "role_arn": "arn:aws-us-gov:iam::111122223333:role/path/to/name",
                "external_id": "env:KEY",
                "session_name": "siem@example.com",
                "duration": 900,
                "sts_region": "us-gov-west-1",
                "profile": "audit",
            },
            id="all-of-assume-role",
        ),
    ],
)
def test_each_kind_accepts_its_fields(fields):
    assert credentials(**fields).kind == fields.get("kind", "default")


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        pytest.param(
            {"role_arn": ROLE},
            {"role_arn": 'does not belong to kind "default"; it is for "assume-role"'},
            id="role-without-its-kind",
        ),
        pytest.param(
            {"kind": "instance-profile", **KEYS},
            dict.fromkeys(KEYS, 'does not belong to kind "instance-profile"'),
            id="keys-beside-instance-profile",
        ),
        pytest.param(
            {"kind": "iam-user"},
            dict.fromkeys(KEYS, 'is required for kind "iam-user"'),
            id="iam-user-without-keys",
        ),
        pytest.param(
            {"kind": "assume-role"},
            {"role_arn": 'is required for kind "assume-role"'},
            id="no-role",
        ),
        pytest.param(
            {"kind": "assume-role", "role_arn": ROLE, "access_key_id": "env:ID"},
            {"secret_access_key": "is required, because access_key_id is set"},
            id="half-a-pair",
        ),
        pytest.param(
            {"kind": "assume-role", "role_arn": ROLE, "session_token": "env:KEY"},
            {"session_token": "requires access_key_id, which is not set"},
            id="token-alone",
        ),
        pytest.param(
            {"kind": "assume-role", "role_arn": "arn:aws:iam::111122223333:user/x"},
            {"role_arn": "is not a role ARN"},
            id="user-for-a-role",
        ),
        pytest.param(
            {"kind": "assume-role", "role_arn": ROLE + "\n"},
            {"role_arn": "is not a role ARN"},
            id="role-with-a-line-end",
        ),
        pytest.param(
            {"kind": "assume-role", "role_arn": ROLE, "session_name": "a b"},
            {"session_name": "pattern"},
            id="session-name",
        ),
    ],
)
def test_wrong_and_missing_fields_are_reported_by_key(fields, problems):
    with pytest.raises(ValidationError) as caught:
        credentials(**fields)

    found = {str(each["loc"][0]): each["msg"] for each in caught.value.errors()}
    assert found.keys() == problems.keys()
    assert all(words in found[key] for key, words in problems.items())


def test_a_session_token_is_optional():
    assert credentials(kind="iam-user", **KEYS).session_token is None


def test_the_partition_comes_from_the_role():
    arn = ROLE.replace("arn:aws:", "arn:aws-cn:")

    assert credentials(kind="assume-role", role_arn=arn).partition == "aws-cn"
    assert credentials().partition is None


def test_credentials_are_hashable_and_show_no_value():
    found = credentials(kind="iam-user", **KEYS)

    assert hash(found) == hash(credentials(kind="iam-user", **KEYS))
    assert not any(value in repr(found) + found.model_dump_json() for value in ENVIRON.values())
