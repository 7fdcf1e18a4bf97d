"""Keys, whose they are, what AWS makes of them, and the clock they are signed with."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.aws_front import ACCOUNT, KEY, OWNER, Holder, Role
from tests.support.doctor_call import fall_silent
from tests.support.http_stub import Reply, Server
from trailcourier.doctor import identity

ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
ASSUMING = f"""
[sources.prod.credentials]
kind = "assume-role"
role_arn = "{ROLE}"
external_id = "env:EXTERNAL_ID"
"""


@pytest.fixture
def external_id(monkeypatch):
    monkeypatch.setenv("EXTERNAL_ID", "hunter2-external")


def test_valid_keys_are_reported_with_their_owner_and_origin(doctor):
    said = doctor()

    assert (
        said.one("TC201").text == f"{OWNER}, account {ACCOUNT}; kind default, from the environment"
    )
    assert said.one("TC205") == (
        "prod",
        "ok",
        "TC205",
        "this machine's clock agrees with AWS's",
        "",
    )


def test_no_keys_are_the_first_error_and_nothing_behind_is_one(doctor, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    said = doctor()

    assert (said.code, said.errors) == (1, ["TC202"])
    assert "NoCredentialsError" in said.one("TC202").text
    assert "AWS_ACCESS_KEY_ID" in said.one("TC202").fix


@pytest.mark.parametrize(
    ("state", "id_"), [("revoked", "TC203"), ("wrong-secret", "TC203"), ("expired", "TC204")]
)
def test_keys_aws_does_not_take_are_the_only_error(doctor, account, state, id_):
    account.front.holders[KEY].state = state

    said = doctor()

    assert (said.code, said.errors) == (1, [id_])
    assert "GetCallerIdentity" in said.one(id_).text
    assert said.one(id_).fix


@pytest.mark.parametrize(("seconds", "way"), [(4000, "behind"), (-4000, "ahead of")])
def test_a_clock_that_is_off_is_an_error_and_not_the_keys(doctor, account, seconds, way):
    account.front.clock = seconds

    said = doctor()

    assert said.errors == ["TC205"]
    assert said.one("TC205").text.startswith(
        "AWS rejected the signature, and this machine's clock is "
    )
    assert f" s {way} AWS's: " in said.one("TC205").text
    assert "NTP" in said.one("TC205").fix


def test_a_clock_that_is_a_little_off_is_a_warning(doctor, account):
    account.front.clock = 100

    said = doctor()

    assert (said.code, said.one("TC205").level) == (0, "warning")
    assert "behind AWS's" in said.one("TC205").text


def test_temporary_keys_that_nothing_renews_are_a_warning(doctor, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "example")

    said = doctor()

    assert said.one("TC204").level == "warning"
    assert "nothing renews them" in said.one("TC204").text


def test_a_role_is_assumed_and_named_with_the_end_of_its_keys(doctor, account, external_id):
    account.front.roles[ROLE] = Role("hunter2-external")

    said = doctor(more=ASSUMING)

    assert said.errors == []
    assert said.one("TC201").text.startswith(
        f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/trailcourier-prod, account {ACCOUNT}; "
        "kind assume-role, from an assumed role, temporary, until "
    )


@pytest.mark.parametrize(
    "role",
    [
        pytest.param(Role("another"), id="another-external-id"),
        pytest.param(Role("hunter2-external", open=False), id="not-trusted"),
        pytest.param(None, id="no-such-role"),
    ],
)
def test_a_role_that_cannot_be_assumed_is_reported_with_both_statements(
    doctor, account, external_id, role
):
    if role:
        account.front.roles[ROLE] = role

    said = doctor(more=ASSUMING)

    assert said.errors == ["TC206"]
    found = said.one("TC206")
    assert OWNER in found.text
    assert (
        json.dumps({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE}) in found.fix
    )
    assert '"sts:ExternalId": "<the external id>"' in found.fix
    assert "is configured here" in found.fix
    assert "hunter2" not in json.dumps(said.said)


def test_keys_that_may_not_assume_because_they_are_revoked_are_said_as_such(
    doctor, account, external_id
):
    account.front.holders[KEY].state = "revoked"

    assert doctor(more=ASSUMING).errors == ["TC203"]


def test_credentials_of_another_partition_are_an_error(doctor, account):
    account.front.holders[KEY] = Holder(OWNER.replace(":aws:", ":aws-us-gov:"))

    said = doctor()

    assert said.errors == ["TC207"]
    assert "partition aws-us-gov, the queue is in aws" in said.one("TC207").text


def test_credentials_of_another_account_are_said_to_need_both_policies(doctor, account):
    account.front.holders[KEY] = Holder(
        OWNER.replace(ACCOUNT, "999999999999"), account="999999999999"
    )

    assert doctor().one("TC207").level == "ok"


def test_a_denied_caller_identity_is_not_checked(doctor, account):
    account.front.denied["sts:GetCallerIdentity"] = "no VPC endpoint policy allows it"

    said = doctor()

    assert said.one("TC201").level == "not-checked"
    assert "no VPC endpoint policy allows it" in said.one("TC201").text
    assert "Allow sts:GetCallerIdentity" in said.one("TC201").fix
    assert said.errors == []


def test_an_sts_that_is_silent_costs_only_the_name_where_no_role_needs_it(
    doctor, account, monkeypatch
):
    fall_silent(monkeypatch, account.front, "sts")

    said = doctor()

    assert said.one("TC105").level == "not-checked"
    assert said.errors == []


@pytest.fixture
def metadata_service(monkeypatch):
    """An instance's metadata service, which gives the keys of a role."""
    servers = []

    def served(answer):
        servers.append(Server(answer))
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"{servers[-1].url}/")
        for name in ("AWS_EC2_METADATA_DISABLED", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)

    yield served
    for server in servers:
        server.close()


PROFILE = '[sources.prod.credentials]\nkind = "instance-profile"\n'


def test_the_instances_own_keys_are_said_with_their_end(doctor, account, metadata_service):
    ends = datetime.now(UTC) + timedelta(hours=6)
    keys = {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIAINSTANCE", "Token": "t",
            "SecretAccessKey": "s", "Expiration": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}  # fmt: skip
    account.front.holders["ASIAINSTANCE"] = Holder()

    def answer(request):
        if request.method == "PUT":
            return Reply(200, b"token")
        last = request.target.rpartition("/")[2]
        return Reply(200, json.dumps(keys).encode() if last else b"collector")

    metadata_service(answer)
    said = doctor(more=PROFILE)

    assert "from the instance profile, temporary, until " in said.one("TC201").text


def test_an_instance_without_a_profile_is_told_to_get_one(doctor, metadata_service):
    def answer(request):
        return Reply(200, b"token") if request.method == "PUT" else Reply(404)

    metadata_service(answer)

    said = doctor(more=PROFILE)

    assert said.errors == ["TC202"]
    assert "aws ec2 associate-iam-instance-profile" in said.one("TC202").fix
    assert "hop limit" not in said.one("TC202").text


@pytest.mark.parametrize("more", [PROFILE, ""], ids=["instance-profile", "default"])
def test_a_container_behind_a_hop_limit_of_one_is_told_how_to_raise_it(
    doctor, metadata_service, monkeypatch, more
):
    monkeypatch.setattr("trailcourier.aws.metadata.TIMEOUT", 1)

    def answer(request):
        return _never(request) if request.method == "PUT" else Reply(401)

    metadata_service(answer)

    said = doctor(more=more)

    assert said.errors == ["TC202"]
    assert "/latest/api/token" in said.one("TC202").text
    assert "aws ec2 modify-instance-metadata-options" in said.one("TC202").fix
    assert "--http-put-response-hop-limit 2" in said.one("TC202").fix


def test_keys_nobody_hands_out_are_waited_for_a_while_only(doctor, metadata_service, monkeypatch):
    monkeypatch.setattr(identity, "PATIENCE", 0.3)
    metadata_service(_never)

    said = doctor(more=PROFILE)

    assert said.errors == ["TC202"]
    assert "did not answer" in said.one("TC202").text


async def _never(request):
    await asyncio.Event().wait()
