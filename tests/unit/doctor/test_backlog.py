"""What lies in the queue, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.aws_front import json_answer
from tests.support.trail_account import DEAD, DEAD_ARN, QUEUE
from trailcourier.ledger.left_messages import LeftMessage
from trailcourier.models import Message


def test_the_age_of_the_oldest_message_under_lease_is_reported(doctor, ledger):
    sent = ledger.store.read_clock() - 7_200_000
    ledger.leases.admit(Message("m", "r", "", sent=sent), [], visibility=600)

    text = doctor().one("TC311").text

    assert text.endswith("; the oldest message under lease was sent 2 h ago")


def test_messages_hidden_in_the_queue_are_a_warning(doctor, ledger):
    ledger.left.note([LeftMessage("m", "r", 1, "acme-logs/111122223333")], {"m": 43_000})

    found = doctor().one("TC311")

    assert (found.level, found.fix) == ("warning", "`trailcourier status` shows what to repair.")
    assert found.text.endswith(
        "; 1 hidden in the queue: too many objects of their bucket are parked"
    )


@pytest.mark.parametrize(("hours", "level"), [(47, "ok"), (49, "warning")])
def test_a_message_older_than_half_the_retention_is_a_warning(doctor, ledger, hours, level):
    sent = ledger.store.read_clock() - hours * 3_600_000
    ledger.leases.admit(Message("m", "r", "", sent=sent), [], visibility=600)

    found = doctor().one("TC311")

    assert found.level == level
    assert found.text.endswith("and the queue keeps messages for 4 d") is (level == "warning")


@pytest.mark.parametrize(
    ("receives", "level", "words"),
    [
        (4, "ok", "was received more than 4 times; maxReceiveCount is 10"),
        (5, "warning", "A message was received 5 of 10 times"),
    ],
)
def test_a_message_that_used_half_of_its_receives_is_a_warning(
    doctor, ledger, receives, level, words
):
    message = Message("m", "r", "", receives, ledger.store.read_clock())
    ledger.leases.admit(message, [], visibility=600)

    found = doctor().one("TC313")

    assert found.level == level
    assert words in found.text


def test_a_queue_at_its_limit_of_received_messages_is_a_warning(doctor, account):
    def answer(asked):
        if asked.given["QueueUrl"].endswith(DEAD):
            return None
        return json_answer({"Attributes": {
            "QueueArn": DEAD_ARN.removesuffix("-dead"), "ApproximateNumberOfMessages": "7",
            "ApproximateNumberOfMessagesNotVisible": "119000", "MessageRetentionPeriod": "345600",
        }})  # fmt: skip

    account.front.answers["sqs:GetQueueAttributes"] = answer

    found = doctor().one("TC311")

    assert found.level == "warning"
    assert "SQS stops delivering at 120,000" in found.text


def oldest(account, seconds, **ago):
    """Have CloudWatch know that the oldest message had waited so long, so long ago."""
    account.client("cloudwatch").put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": QUEUE}],
                "Timestamp": datetime.now(UTC) - timedelta(**ago),
                "Value": seconds,
            }
        ],
    )


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [
        pytest.param(90, "ok", "has waited 90 s", id="young"),
        pytest.param(3600 * 5, "warning", "has waited 5 h", id="late"),
        pytest.param(
            300_000, "warning", "has waited 3 d, and the queue keeps messages for 4 d", id="nearly"
        ),
    ],
)
def test_the_age_of_the_oldest_message_is_reported(
    doctor, account, delivered, *, seconds, level, words
):
    delivered(30)  # so the line works on them
    oldest(account, 999_999, minutes=20)
    oldest(account, seconds, minutes=2)

    report = doctor()

    assert report.errors == []
    assert report.one("TC312").level == level
    assert report.one("TC312").text.endswith(words)


def test_a_queue_without_cloudwatch_data_is_not_checked(doctor):
    assert doctor().one("TC312").level == "not-checked"


def test_a_denied_age_is_not_checked_and_has_the_statement(doctor, account):
    account.front.denied["cloudwatch:GetMetricStatistics"] = ""

    found = doctor().one("TC312")

    assert found.level == "not-checked"
    assert '"Action": "cloudwatch:GetMetricStatistics", "Resource": "*"' in found.fix


def test_of_an_empty_queue_nobody_asks(doctor, account):
    account.purge()

    report = doctor()

    assert "TC312" not in report.levels
    assert account.front.asked("cloudwatch:*") == []
