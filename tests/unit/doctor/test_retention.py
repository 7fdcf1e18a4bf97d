"""How the queue keeps its messages."""

import json

import pytest

from tests.support.aws_front import json_error
from tests.support.trail_account import DEAD, DEAD_ARN, REGION

KEY_ARN = f"arn:aws:kms:{REGION}:123456789012:key/1234"


def test_a_healthy_queue_is_ok(doctor):
    report = doctor()

    assert report.one("TC308").text == (
        f"after 10 receives a message moves to {DEAD}, kept up to 14 days"
    )
    assert report.one("TC309").text == f"the dead-letter queue {DEAD} is empty"
    assert report.one("TC310").text.startswith("the queue encrypts messages with SQS's own keys")
    assert report.one("TC311").text == (
        "messages: 1 waiting, 0 received and not settled, 0 delayed"
    )
    assert not [each for each in report.findings if each.level == "warning"]


def test_without_a_ledger_the_visibility_is_not_checked(doctor):
    found = doctor().one("TC307")

    assert found.level == "not-checked"
    assert found.text.startswith("messages are received for 600 s and extended while")


def test_a_ledger_without_lost_leases_shows_that_the_visibility_suffices(doctor, ledger):
    ledger.sums.count({"messages:deleted": 40})

    found = doctor().one("TC307")

    assert found.level == "ok"
    assert found.text.endswith("40 were settled and no lease was lost")


def test_lost_leases_are_a_warning(doctor, ledger):
    ledger.sums.count({"messages:deleted": 40, "leases:lost": 3})

    found = doctor().one("TC307")

    assert found.level == "warning"
    assert found.text.startswith("3 leases were lost while their objects were processed, and 40 ")
    assert "`line.expert.visibility`" in found.fix


def test_a_visibility_that_leaves_no_time_to_extend_is_a_warning(doctor):
    found = doctor(more="[line.expert]\nvisibility = 20\n").one("TC307")

    assert (found.level, found.fix) == (
        "warning",
        "Remove `line.expert.visibility` from the configuration.",
    )


def test_a_visibility_without_extension_has_to_be_longer(doctor, account):
    account.front.denied["sqs:ChangeMessageVisibility"] = ""

    well = doctor()
    short = doctor(more="[line]\nvisibility_degraded = 300\n").one("TC307")

    assert "3600 s without extension" in well.one("TC307").text
    assert short.level == "warning"
    assert "300 s (line.visibility_degraded)" in short.text


def test_a_queue_without_a_redrive_policy_is_a_warning(doctor, account):
    account.queue_attributes(RedrivePolicy="")

    report = doctor()

    assert report.one("TC308").level == "warning"
    assert "no dead-letter queue" in report.one("TC308").text
    assert "TC309" not in report.levels


def test_a_redrive_after_few_receives_is_a_warning(doctor, account):
    policy = {"deadLetterTargetArn": DEAD_ARN, "maxReceiveCount": 2}
    account.queue_attributes(RedrivePolicy=json.dumps(policy))

    found = doctor().one("TC308")

    assert (found.level, found.fix) == ("warning", "Set maxReceiveCount to 10.")


def test_a_dead_letter_queue_that_keeps_messages_no_longer_is_a_warning(doctor, account):
    url = account.queue_url(DEAD, at=account.moto)
    account.client("sqs").set_queue_attributes(
        QueueUrl=url, Attributes={"MessageRetentionPeriod": "345600"}
    )

    found = doctor().one("TC308")

    assert found.level == "warning"
    assert found.text.startswith(f"{DEAD} keeps messages for 4 days and the queue for 4 days")


def test_two_queues_with_the_longest_retention_are_ok(doctor, account):
    account.queue_attributes(MessageRetentionPeriod="1209600")

    assert doctor().one("TC308").level == "ok"


def test_a_missing_dead_letter_queue_is_a_warning(doctor, account):
    account.client("sqs").delete_queue(QueueUrl=account.queue_url(DEAD, at=account.moto))

    found = doctor().one("TC308")

    assert found.level == "warning"
    assert f"names {DEAD_ARN}, which does not exist" in found.text


def test_a_denied_dead_letter_queue_is_not_checked(doctor, account):
    def answer(asked):
        if asked.given["QueueUrl"].endswith(DEAD):
            return json_error(403, "AccessDeniedException", "not this one")
        return None

    account.front.answers["sqs:GetQueueAttributes"] = answer

    found = doctor().one("TC308")

    assert found.level == "not-checked"
    assert f'"Resource": "{DEAD_ARN}"' in found.fix


def test_messages_in_the_dead_letter_queue_are_a_warning(doctor, account):
    url = account.queue_url(DEAD, at=account.moto)
    account.client("sqs").send_message(QueueUrl=url, MessageBody="bad")

    fix = (
        "`trailcourier dlq list --source prod` shows them and why; when the cause is repaired, "
        "`trailcourier dlq redrive --source prod` moves them back."
    )
    assert doctor().one("TC309") == (
        "prod", "warning", "TC309", f"messages in the dead-letter queue {DEAD}: 1", fix
    )  # fmt: skip


def test_a_dry_run_proves_that_the_queues_key_may_be_used(doctor, account):
    account.queue_attributes(KmsMasterKeyId=KEY_ARN)
    account.front.answers["kms:Decrypt"] = lambda _: json_error(
        400, "DryRunOperationException", "The request would have succeeded"
    )

    report = doctor()

    assert report.one("TC310").level == "ok"
    (asked,) = account.front.asked("kms:Decrypt")
    assert asked.given == {
        "KeyId": KEY_ARN, "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]
    }  # fmt: skip


def test_a_denied_key_is_an_error_with_the_statement(doctor, account):
    account.queue_attributes(KmsMasterKeyId=KEY_ARN)
    account.front.denied["kms:Decrypt"] = ""

    report = doctor()

    assert report.errors[:1] == ["TC310"]
    assert f'"Action": "kms:Decrypt", "Resource": "{KEY_ARN}"' in report.one("TC310").fix


def test_a_key_that_is_disabled_is_an_error(doctor, account):
    account.queue_attributes(KmsMasterKeyId=KEY_ARN)
    account.front.answers["kms:Decrypt"] = lambda _: json_error(
        400, "DisabledException", f"{KEY_ARN} is disabled."
    )

    report = doctor()

    assert report.errors[:1] == ["TC310"]
    assert report.one("TC310").fix.startswith(f"Enable the key {KEY_ARN}")


@pytest.fixture
def key(account):
    """A key of moto's, whose KMS knows no dry run."""
    made = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    account.queue_attributes(KmsMasterKeyId=made)
    return made


def test_where_kms_knows_no_dry_run_the_keys_state_is_all_there_is(doctor, account, key):
    enabled = doctor().one("TC310")
    account.client("kms").disable_key(KeyId=key.rpartition("/")[2])
    disabled = doctor().one("TC310")

    assert (enabled.level, disabled.level) == ("not-checked", "error")
    assert f'"Action": "kms:Decrypt", "Resource": "{key}"' in enabled.fix
    assert disabled.text == f"the key that encrypts the queue is Disabled: {key}"


def test_a_key_that_cannot_be_described_is_not_checked(doctor, account, key):
    account.front.denied["kms:DescribeKey"] = ""

    found = doctor().one("TC310")

    assert found.level == "not-checked"
    assert f'"Action": "kms:DescribeKey", "Resource": "{key}"' in found.fix


def test_a_key_that_does_not_exist_is_an_error(doctor, account):
    account.queue_attributes(KmsMasterKeyId="alias/trail")

    report = doctor()

    assert report.errors[:1] == ["TC310"]
    assert "arn:aws:kms:eu-west-1:123456789012:alias/trail" in report.one("TC310").text


def test_the_managed_key_keeps_topics_from_sending(doctor, account):
    account.purge()
    account.queue_attributes(KmsMasterKeyId="alias/aws/sqs")

    report = doctor()

    assert report.errors[:1] == ["TC310"]
    assert "SNS and S3 cannot send to it" in report.one("TC310").text
