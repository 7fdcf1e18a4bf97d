import pytest

from trailcourier.provision.notification_overlap import list_overlaps


def entry(name="ours", events=("s3:ObjectCreated:*",), **rules):
    filters = [{"Name": key, "Value": value} for key, value in rules.items()]
    return {"Id": name, "QueueArn": f"arn:{name}", "Events": list(events),
            "Filter": {"Key": {"FilterRules": filters}}}  # fmt: skip


OURS = entry(prefix="AWSLogs/1/CloudTrail", suffix=".json.gz")


@pytest.mark.parametrize(
    ("other", "overlaps"),
    [
        (entry("theirs"), True),
        (entry("theirs", Prefix="AWSLogs/"), True),
        (entry("theirs", prefix="AWSLogs/1/CloudTrail/eu"), True),
        (entry("theirs", suffix=".gz"), True),
        (entry("theirs", events=["s3:ObjectCreated:Put"]), True),
        (entry("theirs", prefix="Config/"), False),
        (entry("theirs", suffix=".csv"), False),
        (entry("theirs", events=["s3:ObjectRemoved:*"]), False),
        (entry("ours"), False),
    ],
    ids=str,
)
def test_two_notifications_overlap_if_an_object_could_match_both(other, overlaps):
    assert list(list_overlaps(OURS, {"QueueConfigurations": [other]})) == (
        ["arn:theirs"] if overlaps else []
    )


def test_topics_and_functions_count_too():
    topic = {"Id": "t", "TopicArn": "arn:topic", "Events": ["s3:ObjectCreated:*"]}
    function = {"Id": "f", "LambdaFunctionArn": "arn:f", "Events": ["s3:ObjectCreated:*"]}
    configuration = {
        "TopicConfigurations": [topic], "LambdaFunctionConfigurations": [function],
        "EventBridgeConfiguration": {},
    }  # fmt: skip

    assert list(list_overlaps(OURS, configuration)) == ["arn:topic", "arn:f"]
