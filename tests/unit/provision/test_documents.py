import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcourier.provision import documents
from trailcourier.provision.steps import Notification, Statements

OURS = {"Sid": "Ours", "Effect": "Allow", "Action": "a:B", "Resource": ["r", "q"]}
THEIRS = {"Sid": "Theirs", "Effect": "Deny", "Action": "*", "Resource": "*"}
WANTED = Statements("Policy", (OURS,))
ENTRY = {"Id": "ours", "QueueArn": "arn", "Events": ["e"], "Filter": {"Key": {"FilterRules": []}}}
statements = st.lists(
    st.fixed_dictionaries(
        {"Effect": st.just("Allow")}, optional={"Sid": st.sampled_from(["a", "b", ""])}
    )
)


def test_a_statement_takes_the_place_of_the_one_with_its_sid():
    old = {**OURS, "Action": "a:Old"}
    found = {"Version": "2008-10-17", "Id": "x", "Statement": [old, THEIRS]}

    merged = documents.merged(found, WANTED)

    assert merged == {"Version": "2008-10-17", "Id": "x", "Statement": [OURS, THEIRS]}
    assert list(documents.lacking(found, WANTED)) == ["statement Ours says something else"]
    assert list(documents.lacking(merged, WANTED)) == []


def test_a_policy_that_is_not_there_is_begun():
    assert documents.merged({}, WANTED) == {"Version": "2012-10-17", "Statement": [OURS]}
    assert list(documents.lacking({}, WANTED)) == ["statement Ours is not there"]


def test_a_policy_whose_statement_is_no_list_is_understood():
    assert documents.merged({"Statement": THEIRS}, WANTED)["Statement"] == [THEIRS, OURS]


@pytest.mark.parametrize(
    "held",
    [
        pytest.param({**OURS, "Action": ["a:B"]}, id="one-in-a-list"),
        pytest.param({**OURS, "Resource": ["q", "r"]}, id="another-order"),
    ],
)
def test_what_aws_writes_in_another_way_is_the_same(held):
    assert list(documents.lacking({"Statement": [held]}, WANTED)) == []


@given(statements)
def test_what_others_wrote_is_never_lost_and_ours_goes_without_a_trace(theirs):
    found = {"Statement": theirs}
    others = [each for each in theirs if each.get("Sid") != "Ours"]

    merged = documents.merged(found, WANTED)

    assert [each for each in merged["Statement"] if each != OURS] == others
    assert documents.merged(merged, WANTED) == merged
    assert (documents.without(merged, WANTED) or {"Statement": []})["Statement"] == others


def test_notifications_of_others_are_kept():
    wanted = Notification("QueueConfigurations", ENTRY)
    other = {"Id": "theirs"}
    found = {"QueueConfigurations": [other], "TopicConfigurations": [other]}

    both = documents.announced(found, wanted)

    assert both["QueueConfigurations"] == [other, ENTRY]
    assert documents.hooked(both, wanted)
    assert list(documents.unannounced(both, wanted)) == []
    assert documents.unhooked(both, wanted) == found
    assert documents.unhooked({"QueueConfigurations": [ENTRY]}, wanted) == {}


def test_a_notification_that_says_something_else_is_said():
    wanted = Notification("QueueConfigurations", ENTRY)
    held = {"QueueConfigurations": [{**ENTRY, "Events": ["other"]}]}

    assert list(documents.unannounced(held, wanted)) == ["notification ours says something else"]


def test_eventbridge_is_turned_on_beside_what_is_there():
    wanted = Notification("EventBridgeConfiguration", {})
    found = {"TopicConfigurations": [{"Id": "theirs"}]}

    both = documents.announced(found, wanted)

    assert both == {**found, "EventBridgeConfiguration": {}}
    assert documents.hooked(both, wanted)
    assert not documents.hooked(found, wanted)
