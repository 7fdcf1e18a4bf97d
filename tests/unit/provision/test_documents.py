import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcourier.provision import documents
from trailcourier.provision.steps import BucketNotification, Statements

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

    merged = documents.merge_statements(found, WANTED)

    assert merged == {"Version": "2008-10-17", "Id": "x", "Statement": [OURS, THEIRS]}
    assert list(documents.statement_differences(found, WANTED)) == ["statement Ours differs"]
    assert list(documents.statement_differences(merged, WANTED)) == []


def test_a_missing_policy_is_created():
    assert documents.merge_statements({}, WANTED) == {"Version": "2012-10-17", "Statement": [OURS]}
    assert list(documents.statement_differences({}, WANTED)) == ["statement Ours is missing"]


def test_a_policy_with_a_single_statement_object_is_read():
    assert documents.merge_statements({"Statement": THEIRS}, WANTED)["Statement"] == [THEIRS, OURS]


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param({**OURS, "Action": ["a:B"]}, id="one-in-a-list"),
        pytest.param({**OURS, "Resource": ["q", "r"]}, id="another-order"),
    ],
)
def test_what_aws_returns_in_another_form_is_equivalent(statement):
    assert list(documents.statement_differences({"Statement": [statement]}, WANTED)) == []


@given(statements)
def test_others_statements_are_never_lost_and_ours_are_removed_completely(theirs):
    found = {"Statement": theirs}
    others = [each for each in theirs if each.get("Sid") != "Ours"]

    merged = documents.merge_statements(found, WANTED)

    assert [each for each in merged["Statement"] if each != OURS] == others
    assert documents.merge_statements(merged, WANTED) == merged
    assert (documents.remove_statements(merged, WANTED) or {"Statement": []})["Statement"] == others


def test_notifications_of_others_are_kept():
    wanted = BucketNotification("QueueConfigurations", ENTRY)
    other = {"Id": "theirs"}
    found = {"QueueConfigurations": [other], "TopicConfigurations": [other]}

    both = documents.add_notification(found, wanted)

    assert both["QueueConfigurations"] == [other, ENTRY]
    assert documents.has_notification(both, wanted)
    assert list(documents.notification_differences(both, wanted)) == []
    assert documents.remove_notification(both, wanted) == found
    assert documents.remove_notification({"QueueConfigurations": [ENTRY]}, wanted) == {}


def test_a_notification_that_differs_is_reported():
    wanted = BucketNotification("QueueConfigurations", ENTRY)
    differing = {"QueueConfigurations": [{**ENTRY, "Events": ["other"]}]}

    assert list(documents.notification_differences(differing, wanted)) == [
        "notification ours differs"
    ]


def test_eventbridge_is_turned_on_without_changing_other_notifications():
    wanted = BucketNotification("EventBridgeConfiguration", {})
    found = {"TopicConfigurations": [{"Id": "theirs"}]}

    both = documents.add_notification(found, wanted)

    assert both == {**found, "EventBridgeConfiguration": {}}
    assert documents.has_notification(both, wanted)
    assert not documents.has_notification(found, wanted)
