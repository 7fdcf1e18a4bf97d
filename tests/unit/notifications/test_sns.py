import shlex

import pytest

from tests.support.announcements import TOPIC, confirmation, own, sns
from trailcourier.notifications import subscription_confirm_command

TOKEN = "2336412f37fb687f5d51e6e2425f004aead8a1f1c1e8"


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_the_command_confirms_in_the_topics_region(kind):
    command = subscription_confirm_command(confirmation(kind))

    assert command == (
        f"aws sns confirm-subscription --topic-arn {TOPIC} --token {TOKEN} --region eu-west-1"
    )


@pytest.mark.parametrize("token", ["$(id)", "a;b", "'", '"`id`"', "!!"])
def test_a_token_is_quoted_for_the_shell(token):
    command = subscription_confirm_command(confirmation(Token=token))

    assert command is not None
    assert shlex.quote(token) != token
    assert shlex.split(command)[shlex.split(command).index("--token") + 1] == token


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn", "aws-eusc"])
def test_a_topic_of_any_partition_is_named(partition):
    topic = TOPIC.replace("aws", partition)

    assert topic in (subscription_confirm_command(confirmation(TopicArn=topic)) or "")


NOTHING_TO_CONFIRM = {
    "words": "hello",
    "an array": "[]",
    "a notification": sns(own("k")),
    "another Type": confirmation("Other"),
    "a Type of another type": confirmation(["SubscriptionConfirmation"]),
    "no token": confirmation(Token=None),
    "an empty token": confirmation(Token=""),
    "a token that is an option": confirmation(Token="--debug"),
    "a token of two lines": confirmation(Token="a\nb"),
    "a token without end": confirmation(Token="a" * 2049),
    "a topic of another type": confirmation(TopicArn=1),
    "a topic that is none": confirmation(TopicArn="arn:aws:sqs:eu-west-1:111122223333:q"),
    "a topic with a space": confirmation(TopicArn=f"{TOPIC} --debug"),
    "a topic with a line break": confirmation(TopicArn=f"{TOPIC}\n"),
}


@pytest.mark.parametrize("body", NOTHING_TO_CONFIRM.values(), ids=NOTHING_TO_CONFIRM)
def test_there_is_no_command_without_a_subscription_request(body):
    assert subscription_confirm_command(body) is None
