"""The queue: there, the right one, and what may be done with it, without doing it."""

import json

import pytest

from tests.support.aws_answers import sqs_error
from tests.support.aws_front import ACCOUNT, KEY, OWNER, Holder, json_answer
from tests.support.doctor_call import fall_silent
from tests.support.trail_account import QUEUE, QUEUE_ARN

ELSEWHERE = {'queue_region = "eu-west-1"': 'queue_region = "us-east-1"'}
MINIMUM = ("s3:Get*", "s3:List*", "sqs:ReceiveMessage", "sqs:DeleteMessage")


def statement(action, resource=QUEUE_ARN):
    return json.dumps({"Effect": "Allow", "Action": action, "Resource": resource})


def test_a_healthy_queue_answers_and_is_the_one_named(doctor):
    report = doctor()

    assert report.one("TC301").text == f"{QUEUE_ARN} answers"
    assert report.one("TC302").level == "ok"
    assert report.one("TC304").level == "ok"
    assert report.one("TC305").level == "ok"
    assert report.errors == []


def test_no_message_is_taken_and_none_is_seen_once_more(doctor, account):
    doctor()

    url = account.queue_url(at=account.moto)
    received = account.client("sqs").receive_message(QueueUrl=url, AttributeNames=["All"])
    (message,) = received["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    for asked in account.front.asked("sqs:ReceiveMessage"):
        assert asked.given["MaxNumberOfMessages"] == 0


def test_only_reads_are_asked_of_aws_and_receipts_that_are_none(doctor, account):
    doctor()

    acting = {each.action for each in account.front.log} - {
        each.action for each in account.front.log
        if each.action.partition(":")[2].startswith(("Get", "List", "Describe"))
    }  # fmt: skip
    assert acting == {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"}
    for action in ("sqs:DeleteMessage", "sqs:ChangeMessageVisibility"):
        for asked in account.front.asked(action):
            assert asked.given["ReceiptHandle"] == "trailcourier-doctor-has-no-receipt"


def test_that_receiving_is_not_denied_is_no_proof_that_it_is_allowed(doctor):
    found = doctor().one("TC303")

    assert found.level == "not-checked"
    assert "is not denied" in found.text


def test_a_recent_delivery_proves_that_the_source_may_receive(doctor, delivered):
    delivered(240)

    found = doctor().one("TC303")

    assert (found.level, found.text) == ("ok", "the workers delivered what they received 4 min ago")


def test_what_the_line_delivered_long_ago_proves_nothing(doctor, delivered):
    delivered(7200)

    assert doctor().one("TC303").level == "not-checked"


@pytest.mark.parametrize(
    ("action", "id_", "level"),
    [
        ("sqs:ReceiveMessage", "TC303", "error"),
        ("sqs:DeleteMessage", "TC304", "error"),
        ("sqs:ChangeMessageVisibility", "TC305", "warning"),
        ("sqs:GetQueueAttributes", "TC306", "not-checked"),
    ],
)
def test_a_missing_statement_is_reported_with_caller_and_action(
    doctor, account, action, id_, level
):
    account.front.denied[action] = ""

    found = doctor().one(id_)

    assert found.level == level
    assert found.text.startswith(f"{OWNER} may not {action} on {QUEUE_ARN}: ")
    assert f"is not authorized to perform: {action}" in found.text
    assert found.fix == f"Add to the policies of {OWNER}: {statement(action)}"


def test_an_explicit_deny_is_not_mended_by_another_statement(doctor, account):
    account.front.denied["sqs:DeleteMessage"] = "an identity-based policy has an explicit deny"

    found = doctor().one("TC304")

    assert found.fix.startswith("A policy denies it explicitly: find and narrow that statement")


def test_a_queue_of_another_account_needs_a_statement_on_both_sides(doctor, account):
    arn = "arn:aws:sts::999999999999:assumed-role/reader/session"
    account.front.holders[KEY] = Holder(arn, account="999999999999")
    account.front.denied["sqs:DeleteMessage"] = ""

    found = doctor().one("TC304")

    both = found.fix.split(" and, as another account owns it, to its own policy: ")
    assert both[0].endswith(statement("sqs:DeleteMessage"))
    assert json.loads(both[1])["Principal"] == {"AWS": "arn:aws:iam::999999999999:role/reader"}


def test_with_the_least_permissions_nothing_is_an_error(doctor, account):
    account.front.holders[KEY].allowed = MINIMUM

    report = doctor()

    assert (report.code, report.errors) == (0, [])
    assert report.one("TC305").level == "warning"
    assert report.one("TC306").level == "not-checked"
    assert report.one("TC302").level == "not-checked"
    assert "TC308" not in report.levels


def test_a_queue_that_is_not_there_is_the_only_error(doctor, account):
    report = doctor(instead={f'/{QUEUE}"': '/nothing"'})

    assert report.errors[:1] == ["TC301"]
    found = report.one("TC301")
    assert f"there is no queue nothing of account {ACCOUNT} in eu-west-1" in found.text
    assert "NonExistentQueue" in found.fix
    assert report.one("TC307").text == "not checked, because of TC301 above"


def test_a_queue_in_another_region_is_found_there(doctor):
    report = doctor(instead=ELSEWHERE)

    found = report.one("TC301")
    assert report.errors[:1] == ["TC301"]
    assert found.text.endswith("in us-east-1; a queue of that name exists in eu-west-1")
    assert "eu-west-1" in found.fix


def test_a_queue_nothing_is_allowed_on_may_not_exist(doctor, account):
    account.front.denied |= {"sqs:ReceiveMessage": "", "sqs:GetQueueAttributes": ""}

    report = doctor()

    assert report.one("TC301").level == "not-checked"
    assert report.errors == ["TC303"]


def test_a_url_that_leads_elsewhere_is_an_error(doctor, account):
    actual = QUEUE_ARN.replace("eu-west-1", "eu-central-1")
    account.front.answers["sqs:GetQueueAttributes"] = lambda _: _attributes(QueueArn=actual)

    report = doctor()

    assert report.errors[:1] == ["TC302"]
    assert report.one("TC302").text == f"`queue_url` leads to {actual}, but names {QUEUE_ARN}"


def _attributes(**attributes):
    return json_answer({"Attributes": attributes})


def test_a_queue_whose_key_blocks_receiving_is_an_error(doctor, account):
    account.front.answers["sqs:ReceiveMessage"] = lambda _: sqs_error(
        400, "KMS.AccessDeniedException", "KmsAccessDenied", "you are not allowed to access it"
    )

    report = doctor()

    assert report.errors == ["TC310"]
    assert "you are not allowed" in report.one("TC310").text


def test_keys_refused_by_the_queue_where_sts_cannot_be_asked_are_named(
    doctor, account, monkeypatch
):
    fall_silent(monkeypatch, account.front, "sts")
    account.front.holders[KEY].state = "revoked"

    report = doctor()

    assert report.errors == ["TC203"]


def test_a_queue_that_is_silent_is_an_error_and_is_asked_no_more(doctor, account, monkeypatch):
    fall_silent(monkeypatch, account.front, "sqs")

    report = doctor()

    assert report.errors == ["TC105"]
    assert "sqs:GetQueueAttributes" in report.one("TC105").text
    assert len(account.front.asked("sqs:*")) == 1


def test_a_queue_that_asks_to_slow_down_proves_nothing(doctor, account):
    account.front.answers["sqs:ReceiveMessage"] = lambda _: sqs_error(
        400, "RequestThrottled", "RequestThrottled"
    )

    found = doctor().one("TC301")

    assert (found.level, found.fix) == ("not-checked", "Run doctor again in a minute.")
