import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcourier.provision.documents import BucketNotification, Statements

OURS = {"Sid": "Ours", "Effect": "Allow", "Action": "a:B", "Resource": ["r", "q"]}
THEIRS = {"Sid": "Theirs", "Effect": "Deny", "Action": "*", "Resource": "*"}
WANTED = Statements("Policy", (OURS,))
ENTRY = {"Id": "ours", "QueueArn": "arn", "Events": ["e"], "Filter": {"Key": {"FilterRules": []}}}
statements = st.lists(
    st.fixed_dictionaries(
        {"Effect": st.just("Allow")}, optional={"Sid": st.sampled_from(["a", "b", ""])}
    )
)


def test_a_statement_replaces_the_one_with_its_sid():
    old = {**OURS, "Action": "a:Old"}
    found = {"Version": "2008-10-17", "Id": "x", "Statement": [old, THEIRS]}

    merged = WANTED.add_to(found)

    assert merged == {"Version": "2008-10-17", "Id": "x", "Statement": [OURS, THEIRS]}
    assert list(WANTED.differences(found)) == ["statement Ours differs"]
    assert list(WANTED.differences(merged)) == []


def test_a_missing_policy_is_created():
    assert WANTED.add_to({}) == {"Version": "2012-10-17", "Statement": [OURS]}
    assert list(WANTED.differences({})) == ["statement Ours is missing"]


def test_a_policy_with_a_single_statement_object_is_read():
    assert WANTED.add_to({"Statement": THEIRS})["Statement"] == [THEIRS, OURS]


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param({**OURS, "Action": ["a:B"]}, id="one-in-a-list"),
        pytest.param({**OURS, "Resource": ["q", "r"]}, id="another-order"),
    ],
)
def test_what_aws_returns_in_another_form_is_equivalent(statement):
    assert list(WANTED.differences({"Statement": [statement]})) == []


@given(statements)
def test_others_statements_are_never_lost_and_ours_are_removed_completely(theirs):
    found = {"Statement": theirs}
    others = [each for each in theirs if each.get("Sid") != "Ours"]

    merged = WANTED.add_to(found)

    assert [each for each in merged["Statement"] if each != OURS] == others
    assert WANTED.add_to(merged) == merged
    assert (WANTED.remove_from(merged) or {"Statement": []})["Statement"] == others


def test_notifications_of_others_are_kept():
    wanted = BucketNotification("QueueConfigurations", ENTRY)
    other = {"Id": "theirs"}
    found = {"QueueConfigurations": [other], "TopicConfigurations": [other]}

    both = wanted.add_to(found)

    assert both["QueueConfigurations"] == [other, ENTRY]
    assert wanted.is_in(both)
    assert list(wanted.differences(both)) == []
    assert wanted.remove_from(both) == found
    assert wanted.remove_from({"QueueConfigurations": [ENTRY]}) == {}


def test_a_notification_that_differs_is_reported():
    wanted = BucketNotification("QueueConfigurations", ENTRY)
    differing = {"QueueConfigurations": [{**ENTRY, "Events": ["other"]}]}

    assert list(wanted.differences(differing)) == ["notification ours differs"]


def test_eventbridge_is_turned_on_without_changing_other_notifications():
    wanted = BucketNotification("EventBridgeConfiguration", {})
    found = {"TopicConfigurations": [{"Id": "theirs"}]}

    both = wanted.add_to(found)

    assert both == {**found, "EventBridgeConfiguration": {}}
    assert wanted.is_in(both)
    assert not wanted.is_in(found)
