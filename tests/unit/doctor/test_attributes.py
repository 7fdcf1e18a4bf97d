"""A service that is only like SQS: it leaves things out, or says them in a form of its own."""

import json

import pytest

NAMES = (
    "QueueArn",
    "MessageRetentionPeriod",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "RedrivePolicy",
    "Policy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)


@pytest.fixture
def changed(account):
    """Have every queue say of itself what a function makes of its attributes."""

    def changed(change):
        def altered(reply):
            answer = json.loads(reply.body)
            if "Attributes" in answer:
                answer["Attributes"] = change(answer["Attributes"])
            if answer.get("Attributes") is None:
                answer.pop("Attributes", None)
            return reply._replace(body=json.dumps(answer).encode(), length=None)

        account.front.changes["sqs:GetQueueAttributes"] = altered

    return changed


def answers(report):
    """Whether doctor came to an end that is no bug, and was answered at all."""
    return report.code in {0, 1} and "TC105" not in report.levels


@pytest.mark.parametrize("name", NAMES)
def test_an_attribute_that_is_left_out_is_no_bug(doctor, changed, name):
    changed(lambda report: {key: value for key, value in report.items() if key != name})

    assert answers(doctor())


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(None, id="none at all"),
        pytest.param({}, id="an empty table"),
        pytest.param({"QueueArn": "arn:aws:sqs:eu-west-1:1:x"}, id="its ARN alone"),
        pytest.param(dict.fromkeys(NAMES, ""), id="empty"),
        pytest.param(dict.fromkeys(NAMES, "unknown"), id="words"),
        pytest.param(dict.fromkeys(NAMES, "{}"), id="tables"),
        pytest.param({"RedrivePolicy": '{"maxReceiveCount": "ten"}'}, id="words in the policy"),
        pytest.param({"RedrivePolicy": "[1]"}, id="a list in place of a policy"),
        pytest.param({"KmsMasterKeyId": "alias/aws/sqs"}, id="encrypted"),
    ],
)
def test_attributes_of_another_form_are_no_bug(doctor, changed, attributes):
    changed(lambda _: attributes)

    assert answers(doctor())


def test_what_a_queue_does_not_say_is_not_taken_for_nothing(doctor, changed):
    kept = {"QueueArn", "RedrivePolicy"}
    changed(lambda report: {name: report[name] for name in kept & report.keys()})

    report = doctor()

    assert report.one("TC308").level == "not-checked"
    assert report.one("TC309").level == "not-checked"
    assert report.one("TC311").level == "not-checked"
