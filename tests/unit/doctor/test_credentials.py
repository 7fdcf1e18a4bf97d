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
    report = doctor()

    assert (
        report.one("TC201").text
        == f"{OWNER}, account {ACCOUNT}; kind default, from the environment"
    )
    assert report.one("TC205") == (
        "prod",
        "ok",
        "TC205",
        "this machine's clock agrees with AWS's",
        "",
    )


def test_no_keys_are_the_first_error_and_nothing_behind_is_one(doctor, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    report = doctor()

    assert (report.code, report.errors) == (1, ["TC202"])
    assert "NoCredentialsError" in report.one("TC202").text
    assert "AWS_ACCESS_KEY_ID" in report.one("TC202").fix


@pytest.mark.parametrize(
    ("state", "id_"), [("revoked", "TC203"), ("wrong-secret", "TC203"), ("expired", "TC204")]
)
def test_keys_aws_does_not_take_are_the_only_error(doctor, account, state, id_):
    account.front.holders[KEY].state = state

    report = doctor()

    assert (report.code, report.errors) == (1, [id_])
    assert "GetCallerIdentity" in report.one(id_).text
    assert report.one(id_).fix


@pytest.mark.parametrize(("seconds", "way"), [(4000, "behind"), (-4000, "ahead of")])
def test_a_clock_that_is_off_is_an_error_and_not_the_keys(doctor, account, seconds, way):
    account.front.clock = seconds

    report = doctor()

    assert report.errors == ["TC205"]
    assert report.one("TC205").text.startswith(
        "AWS rejected the signature, and this machine's clock is "
    )
    assert f" s {way} AWS's: " in report.one("TC205").text
    assert "NTP" in report.one("TC205").fix


def test_a_clock_that_is_a_little_off_is_a_warning(doctor, account):
    account.front.clock = 100

    report = doctor()

    assert (report.code, report.one("TC205").level) == (0, "warning")
    assert "behind AWS's" in report.one("TC205").text


def test_temporary_keys_that_nothing_renews_are_a_warning(doctor, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "example")

    report = doctor()

    assert report.one("TC204").level == "warning"
    assert "nothing renews them" in report.one("TC204").text


def test_a_role_is_assumed_and_named_with_the_end_of_its_keys(doctor, account, external_id):
    account.front.roles[ROLE] = Role("hunter2-external")

    report = doctor(more=ASSUMING)

    assert report.errors == []
    assert report.one("TC201").text.startswith(
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

    report = doctor(more=ASSUMING)

    assert report.errors == ["TC206"]
    found = report.one("TC206")
    assert OWNER in found.text
    assert (
        json.dumps({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE}) in found.fix
    )
    assert '"sts:ExternalId": "<the external id>"' in found.fix
    assert "is configured here" in found.fix
    assert "hunter2" not in json.dumps(report.output)


def test_keys_that_may_not_assume_because_they_are_revoked_are_reported_as_such(
    doctor, account, external_id
):
    account.front.holders[KEY].state = "revoked"

    assert doctor(more=ASSUMING).errors == ["TC203"]


def test_credentials_of_another_partition_are_an_error(doctor, account):
    account.front.holders[KEY] = Holder(OWNER.replace(":aws:", ":aws-us-gov:"))

    report = doctor()

    assert report.errors == ["TC207"]
    assert "partition aws-us-gov, the queue is in aws" in report.one("TC207").text


def test_credentials_of_another_account_are_reported_to_need_both_policies(doctor, account):
    account.front.holders[KEY] = Holder(
        OWNER.replace(ACCOUNT, "999999999999"), account="999999999999"
    )

    assert doctor().one("TC207").level == "ok"


def test_a_denied_caller_identity_is_not_checked(doctor, account):
    account.front.denied["sts:GetCallerIdentity"] = "no VPC endpoint policy allows it"

    report = doctor()

    assert report.one("TC201").level == "not-checked"
    assert "no VPC endpoint policy allows it" in report.one("TC201").text
    assert "Allow sts:GetCallerIdentity" in report.one("TC201").fix
    assert report.errors == []


def test_an_sts_that_is_silent_costs_only_the_name_where_no_role_needs_it(
    doctor, account, monkeypatch
):
    fall_silent(monkeypatch, account.front, "sts")

    report = doctor()

    assert report.one("TC105").level == "not-checked"
    assert report.errors == []


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


def test_the_instances_own_keys_are_reported_with_their_end(doctor, account, metadata_service):
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
    report = doctor(more=PROFILE)

    assert "from the instance profile, temporary, until " in report.one("TC201").text


def test_an_instance_without_a_profile_is_advised_to_get_one(doctor, metadata_service):
    def answer(request):
        return Reply(200, b"token") if request.method == "PUT" else Reply(404)

    metadata_service(answer)

    report = doctor(more=PROFILE)

    assert report.errors == ["TC202"]
    assert "aws ec2 associate-iam-instance-profile" in report.one("TC202").fix
    assert "hop limit" not in report.one("TC202").text


@pytest.mark.parametrize("more", [PROFILE, ""], ids=["instance-profile", "default"])
def test_a_container_behind_a_hop_limit_of_one_is_advised_how_to_raise_it(
    doctor, metadata_service, monkeypatch, more
):
    monkeypatch.setattr("trailcourier.aws.metadata.TIMEOUT", 1)

    def answer(request):
        return _never(request) if request.method == "PUT" else Reply(401)

    metadata_service(answer)

    report = doctor(more=more)

    assert report.errors == ["TC202"]
    assert "/latest/api/token" in report.one("TC202").text
    assert "aws ec2 modify-instance-metadata-options" in report.one("TC202").fix
    assert "--http-put-response-hop-limit 2" in report.one("TC202").fix


def test_keys_nobody_hands_out_are_waited_for_a_while_only(doctor, metadata_service, monkeypatch):
    monkeypatch.setattr(identity, "PATIENCE", 0.3)
    metadata_service(_never)

    report = doctor(more=PROFILE)

    assert report.errors == ["TC202"]
    assert "did not answer" in report.one("TC202").text


async def _never(request):
    await asyncio.Event().wait()
