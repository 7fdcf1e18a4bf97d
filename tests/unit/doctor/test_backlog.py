"""What lies in the queue, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.aws_front import json_answer
from tests.trail_account import DEAD, DEAD_ARN, QUEUE
from trailcourier.ledger.left import LeftMessage
from trailcourier.models import Message


def test_the_oldest_message_that_the_line_holds_is_said(doctor, ledger):
    sent = ledger.flow.now() - 7_200_000
    ledger.leases.admit(Message("m", "r", "", sent=sent), [], visibility=600)

    text = doctor().one("TC311").text

    assert text.endswith("; the oldest that the line holds was sent 2 h ago")


def test_messages_left_to_the_queue_are_a_warning(doctor, ledger):
    ledger.left.note([LeftMessage("m", "r", 1, "acme-logs/111122223333")], {"m": 43_000})

    found = doctor().one("TC311")

    assert (found.level, found.fix) == ("warning", "`trailcourier status` says what to repair.")
    assert found.text.endswith(
        "the queue hides 1 left to it, as too much of their bucket is parked"
    )


@pytest.mark.parametrize(("hours", "level"), [(47, "ok"), (49, "warning")])
def test_one_that_is_half_as_old_as_the_queue_keeps_it_is_a_warning(doctor, ledger, hours, level):
    sent = ledger.flow.now() - hours * 3_600_000
    ledger.leases.admit(Message("m", "r", "", sent=sent), [], visibility=600)

    found = doctor().one("TC311")

    assert found.level == level
    assert found.text.endswith("and the queue keeps 4 d") is (level == "warning")


@pytest.mark.parametrize(
    ("receives", "level", "words"),
    [
        (4, "ok", "was received more than 4 times, of 10"),
        (5, "warning", "A message was received 5 of 10 times"),
    ],
)
def test_one_that_used_half_of_its_receives_is_a_warning(doctor, ledger, receives, level, words):
    message = Message("m", "r", "", receives, ledger.flow.now())
    ledger.leases.admit(message, [], visibility=600)

    found = doctor().one("TC313")

    assert found.level == level
    assert words in found.text


def test_a_queue_that_can_hand_out_no_more_is_a_warning(doctor, account):
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
    assert "SQS hands out no more than 120,000" in found.text


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
        pytest.param(300_000, "warning", "has waited 3 d, and the queue keeps it 4 d", id="nearly"),
    ],
)
def test_how_long_the_oldest_has_waited_is_said(doctor, account, seconds, level, words):
    oldest(account, 999_999, minutes=20)
    oldest(account, seconds, minutes=2)

    said = doctor()

    assert said.errors == []
    assert said.one("TC312").level == level
    assert said.one("TC312").text.endswith(words)


def test_a_queue_that_cloudwatch_does_not_know_yet_is_unproved(doctor):
    assert doctor().one("TC312").level == "unproved"


def test_an_age_that_may_not_be_asked_is_unproved_with_the_statement(doctor, account):
    account.front.denied["cloudwatch:GetMetricStatistics"] = ""

    found = doctor().one("TC312")

    assert found.level == "unproved"
    assert '"Action": "cloudwatch:GetMetricStatistics", "Resource": "*"' in found.fix


def test_of_an_empty_queue_nobody_asks(doctor, account):
    account.purge()

    said = doctor()

    assert "TC312" not in said.levels
    assert account.front.asked("cloudwatch:*") == []
