import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.aws_answers import Recording, keys, named, s3_error, session, signer, sts_keys
from tests.support.http_stub import Reply
from trailcourier.aws import faults, sessions
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network

ROLE = "arn:aws:iam::111122223333:role/trailcourier"


def frozen(made):
    return made.get_credentials().get_frozen_credentials()


def to_sts(server):
    return Network(endpoints=(("sts", server.url),))


def test_a_key_pair_is_used_as_it_is():
    used = frozen(session(keys("AKIAONE")))

    assert (used.access_key, used.secret_key, used.token) == ("AKIAONE", "example", None)


def test_a_rotated_file_is_read_again_after_the_keys_were_rejected(tmp_path):
    file = tmp_path / "secret"
    file.write_text(" old \n")
    made = session(
        Credentials.model_validate(
            {
                "kind": "iam-user",
                "access_key_id": named("AKIAONE"),
                "secret_access_key": f"file:{file}",
            }
        )
    )
    before = frozen(made).secret_key
    file.write_text("new\n")
    kept = frozen(made).secret_key

    sessions.forget_keys(made)

    assert (before, kept, frozen(made).secret_key) == ("old", "old", "new")


def test_a_missing_secret_file_is_a_fault_of_the_credentials(tmp_path):
    file = tmp_path / "secret"
    file.write_text("old")
    made = session(
        Credentials.model_validate(
            {
                "kind": "iam-user",
                "access_key_id": named("AKIAONE"),
                "secret_access_key": f"file:{file}",
            }
        )
    )
    file.unlink()

    with pytest.raises(faults.AWS_ERRORS) as raised:
        frozen(made)

    fault = faults.to_fault(raised.value, what="s3://b/k", where="b")
    assert fault.reason == "credentials"
    assert str(file) in fault.detail


def test_the_default_chain_finds_keys_in_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")

    assert frozen(session(Credentials())).access_key == "AKIAENV"


def test_the_default_chain_reads_the_shared_file_again_after_rejected_keys(tmp_path, monkeypatch):
    file = tmp_path / "credentials"
    text = "[work]\naws_access_key_id = {}\naws_secret_access_key = x\n"
    file.write_text(text.format("AKIAOLD"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    made = session(Credentials(profile="work"))
    before = frozen(made).access_key
    file.write_text(text.format("AKIANEW"))

    sessions.forget_keys(made)

    assert (before, frozen(made).access_key) == ("AKIAOLD", "AKIANEW")


def test_missing_credentials_are_a_fault_of_the_credentials():
    with pytest.raises(faults.AWS_ERRORS) as raised:
        frozen(session(Credentials()))

    assert faults.to_fault(raised.value, what="x", where="b").reason == "credentials"


def test_a_role_is_assumed_with_external_id_session_name_and_duration():
    role = Credentials(
        kind="assume-role", access_key_id=named("AKIAONE"), secret_access_key=named("x"),
        role_arn=ROLE, external_id=named("our-id"), session_name="courier", duration=1800,
    )  # fmt: skip

    with Recording(lambda request: sts_keys("ASIAROLE")) as sts:
        used = frozen(session(role, to_sts(sts)))

    body = sts.requests[0].body.decode()
    assert (used.access_key, used.token) == ("ASIAROLE", "token-ASIAROLE")
    for part in ("ExternalId=our-id", "RoleSessionName=courier", "DurationSeconds=1800"):
        assert part in body
    assert signer(sts.requests[0]) == ("AKIAONE", "eu-west-1")


def test_a_role_session_is_named_after_its_source_unless_it_has_a_name(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")

    with Recording(lambda request: sts_keys("ASIAROLE")) as sts:
        frozen(session(Credentials(kind="assume-role", role_arn=ROLE), to_sts(sts)))

    assert "RoleSessionName=trailcourier-prod" in sts.requests[0].body.decode()
    assert signer(sts.requests[0])[0] == "AKIAENV"


@pytest.mark.parametrize(
    ("named_region", "used"), [(None, "eu-west-1"), ("eu-south-1", "eu-south-1")]
)
def test_a_role_is_assumed_in_sts_region_or_else_in_the_queues(named_region, used):
    role = Credentials(
        kind="assume-role", access_key_id=named("AKIAONE"), secret_access_key=named("x"),
        role_arn=ROLE, sts_region=named_region,
    )  # fmt: skip

    with Recording(lambda request: sts_keys("ASIAROLE")) as sts:
        frozen(session(role, to_sts(sts)))

    assert signer(sts.requests[0])[1] == used


def test_a_role_is_assumed_again_before_its_keys_expire():
    answers = iter([sts_keys("ASIAONE", lives=800), sts_keys("ASIATWO"), sts_keys("ASIATHREE")])

    with Recording(lambda request: next(answers)) as sts:
        role = Credentials(
            kind="assume-role", access_key_id=named("AKIAONE"), secret_access_key=named("x"),
            role_arn=ROLE,
        )  # fmt: skip
        made = session(role, to_sts(sts))
        used = [frozen(made).access_key]
        ends = sessions.describe_keys(made).ends
        keys = made.get_credentials()._loaded.peek("keys")
        for left in (250, 150, 150, 1):
            now = ends - timedelta(seconds=left)
            keys._time_fetcher = lambda now=now: now
            used.append(frozen(made).access_key)

    assert used == ["ASIAONE", "ASIAONE", "ASIATWO", "ASIATWO", "ASIATWO"]


def test_a_denied_assume_role_is_a_fault_of_the_credentials():
    denied = Reply(
        403,
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: "
        b"sts:AssumeRole</Message></Error></ErrorResponse>",
    )
    role = Credentials(
        kind="assume-role",
        access_key_id=named("AKIAONE"),
        secret_access_key=named("x"),
        role_arn=ROLE,
    )

    with Recording(lambda request: denied) as sts, pytest.raises(faults.AWS_ERRORS) as raised:
        frozen(session(role, to_sts(sts)))

    fault = faults.to_fault(raised.value, what="s3://b/k", where="b")
    assert fault.reason == "credentials"
    assert "sts:AssumeRole" in fault.detail


class Imds:
    """The instance metadata service; without *version2* only version 1."""

    def __init__(self, *, version2=True):
        self.version2 = version2
        self.key = "ASIAHOST"

    def __call__(self, request):
        if request.method == "PUT":
            return Reply(200, b"the-token") if self.version2 else s3_error(403, "Forbidden")
        if self.version2 and request.headers.get("x-aws-ec2-metadata-token") != "the-token":
            return Reply(401)
        if request.target.endswith("security-credentials/"):
            return Reply(200, b"collector")
        ends = datetime.now(UTC) + timedelta(hours=6)
        document = {
            "Code": "Success",
            "AccessKeyId": self.key,
            "SecretAccessKey": "x",
            "Token": "t",
            "Expiration": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
        }
        return Reply(200, json.dumps(document).encode())


@pytest.fixture
def at_instance(monkeypatch):
    """Make botocore use *server* as the metadata service."""

    def ask(server):
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url + "/")

    return ask


def test_an_instance_profile_uses_only_the_metadata_service(at_instance, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")

    with Recording(Imds()) as imds:
        at_instance(imds)
        used = frozen(session(Credentials(kind="instance-profile")))

    assert used.access_key == "ASIAHOST"
    assert imds.requests[0].method == "PUT"


def test_an_instance_profile_does_not_fall_back_to_imds_version_1(at_instance):
    with Recording(Imds(version2=False)) as imds:
        at_instance(imds)
        with pytest.raises(faults.AWS_ERRORS) as raised:
            frozen(session(Credentials(kind="instance-profile")))

    assert faults.to_fault(raised.value, what="x", where="b").reason == "credentials"
    assert {request.method for request in imds.requests} == {"PUT"}


def test_the_repr_of_a_session_shows_no_secret():
    made = session(keys())
    frozen(made)

    assert "example" not in repr(made) + repr(made.get_credentials()) + str(vars(made))
