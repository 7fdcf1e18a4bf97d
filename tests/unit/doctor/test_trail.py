"""The trail: logging, everywhere, delivering, announcing."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.aws_front import OWNER, json_error
from tests.support.trail_account import BUCKET, REGION, TOPIC_ARN, TRAIL, TRAIL_ARN, allowing


def status(account, **more):
    """Have the trail's status say *more*; None takes a member away."""

    def change(reply):
        answer = json.loads(reply.body) | more
        body = json.dumps({name: value for name, value in answer.items() if value is not None})
        return reply._replace(body=body.encode(), length=None)

    account.front.changes["cloudtrail:GetTrailStatus"] = change


def ago(**how):
    return (datetime.now(UTC) - timedelta(**how)).timestamp()


def test_a_healthy_trail_is_ok(doctor, account):
    status(account, LatestNotificationTime=ago(seconds=140))

    report = doctor()

    assert {
        each.id: each.level for each in report.findings if each.id[:3] == "TC5"
    } == dict.fromkeys(("TC501", "TC502", "TC503", "TC504", "TC505", "TC506", "TC507"), "ok")
    assert report.one("TC501").text == f"the source is fed by {TRAIL_ARN}"
    assert "notified 2 min ago" in report.one("TC506").text


def test_a_trail_that_was_stopped_is_an_error(doctor, account):
    account.client("cloudtrail").stop_logging(Name=TRAIL)

    report = doctor()

    assert report.errors == ["TC502"]
    assert report.one("TC502").text.startswith(f"trail {TRAIL} does not log since 20")
    assert report.one("TC502").fix == f"Start it: aws cloudtrail start-logging --name {TRAIL_ARN}"
    assert "TC504" not in report.levels


def test_a_trail_that_never_began_is_an_error(doctor, account):
    status(account, IsLogging=False, StartLoggingTime=None)

    assert doctor().one("TC502").text == f"trail {TRAIL} does not log"


def test_a_stopped_trail_is_a_warning_if_another_logs(doctor, account):
    trails = account.client("cloudtrail")
    any_trail = f"arn:aws:cloudtrail:{REGION}:123456789012:trail/*"
    account.topic_policy(allowing("cloudtrail.amazonaws.com", "sns:Publish", TOPIC_ARN, any_trail))
    trails.create_trail(Name="second", S3BucketName=BUCKET, SnsTopicName="cloudtrail")

    report = doctor()

    assert report.errors == []
    assert [each.level for each in report.of("TC502")].count("warning") == 1


def test_a_trail_of_one_region_is_a_warning(doctor, account):
    account.trail(IsMultiRegionTrail=False)

    report = doctor()

    assert (report.code, report.worst) == (0, "TC503")
    assert report.one("TC503").text == f"trail {TRAIL} logs only in {REGION}"
    assert "--is-multi-region-trail" in report.one("TC503").fix


def test_a_trail_of_all_regions_is_ok(doctor):
    assert doctor().one("TC503").level == "ok"


def test_event_history_without_a_trail_is_an_error(doctor, account):
    account.client("cloudtrail").delete_trail(Name=TRAIL)
    account.empty()

    report = doctor()

    assert report.errors[0] == "TC501"
    assert "90 days of event history, but delivers it nowhere" in report.one("TC501").text


def test_a_trail_that_began_after_records_went_missing_is_a_warning(doctor, account):
    report = doctor("--since", "36h")

    found = report.one("TC509")
    assert found.level == "warning"
    assert "no log file covers the time between" in found.text
    assert "lookup-events" in found.fix


def test_a_trail_that_began_before_records_went_missing_is_ok(doctor, account):
    status(account, StartLoggingTime=ago(days=9))

    assert doctor("--since", "7d").one("TC509").level == "ok"


def test_without_since_records_are_missing_since_the_last_delivery(doctor, delivered):
    delivered(7200)

    assert doctor().one("TC509").level == "warning"


def test_without_since_or_a_delivery_the_trails_age_is_no_finding(doctor):
    assert "TC509" not in doctor().levels


def test_a_trail_of_another_account_is_not_checked(doctor, account):
    account.client("cloudtrail").delete_trail(Name=TRAIL)

    report = doctor()

    assert report.errors == []
    assert report.one("TC501").level == "not-checked"
    assert "another account's" in report.one("TC501").text


def test_trails_that_write_elsewhere_are_named(doctor, account):
    account.empty()
    account.client("cloudtrail").delete_trail(Name=TRAIL)
    where = {"LocationConstraint": REGION}
    account.client("s3").create_bucket(Bucket="elsewhere", CreateBucketConfiguration=where)
    account.client("cloudtrail").create_trail(Name="other", S3BucketName="elsewhere")

    found = doctor().one("TC501")

    assert found.level == "error"
    assert found.text == "the account's trails write to other buckets: other (to elsewhere)"


def test_a_trail_whose_bucket_is_not_read_is_an_error(doctor, account):
    report = doctor(instead={f'buckets = ["{BUCKET}"]': 'buckets = ["acme-typo"]'})

    assert report.errors == ["TC508"]
    assert f"writes to {BUCKET}, which `buckets` does not allow" in report.one("TC508").text
    assert report.one("TC601").text == "not checked, because of TC508 above"


def test_a_bucket_named_by_a_glob_alone_is_known_by_the_trail(doctor):
    report = doctor(instead={f'["{BUCKET}"]': '["acme-*"]'})

    assert report.one("TC601").text == f"bucket {BUCKET} exists, in {REGION}"


def test_a_trail_that_cannot_deliver_is_an_error(doctor, account):
    account.empty()
    account.purge()
    status(account, LatestDeliveryError="AccessDenied")

    report = doctor()

    assert report.errors[0] == "TC504"
    assert report.one("TC504").text == (
        f"trail {TRAIL} cannot deliver to {BUCKET}: AccessDenied in {REGION}"
    )
    assert "s3:PutObject" in report.one("TC504").fix


@pytest.mark.parametrize(
    ("hours", "words"), [(None, "has not delivered a log file yet"), (5, "delivered 5 h ago")]
)
def test_a_trail_that_delivered_long_ago_or_never_is_a_warning(doctor, account, hours, words):
    status(account, LatestDeliveryTime=hours and ago(hours=hours))

    found = doctor().one("TC504")

    assert found.level == "warning"
    assert words in found.text


def test_each_region_with_log_files_is_asked(doctor, account):
    key = "AWSLogs/123456789012/CloudTrail/us-east-1/2026/11/20/x.json.gz"
    account.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"x")

    report = doctor()

    assert report.one("TC504").text.endswith(" in 2 regions checked")
    asked = account.front.asked("cloudtrail:GetTrailStatus")
    assert {each.region for each in asked} == {REGION, "us-east-1"}


@pytest.mark.parametrize(
    ("code", "text", "fix"),
    [
        (
            "AccessDeniedException",
            f"how trail {TRAIL} delivers in us-east-1 is not known",
            "GetTrailStatus",
        ),
        ("InternalFailure", "cloudtrail:GetTrailStatus", "Run doctor again in a minute."),
    ],
)
def test_a_region_without_a_status_is_not_checked(doctor, account, code, text, fix):
    key = "AWSLogs/123456789012/CloudTrail/us-east-1/2026/11/20/x.json.gz"
    account.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"x")
    account.front.answers["cloudtrail:GetTrailStatus"] = lambda asked: (
        json_error(400, code, "no") if asked.region == "us-east-1" else None
    )

    first, second = doctor().of("TC504")

    assert (first.level, second.level) == ("not-checked", "ok")
    assert text in first.text
    assert fix in first.fix


def test_a_trail_without_a_topic_is_an_error(doctor, account):
    account.trail(SnsTopicName=None)

    report = doctor()

    assert report.errors == ["TC505"]
    assert report.one("TC505").text == f"trail {TRAIL} has no SNS topic, so it notifies nobody"
    assert "--sns-topic-name" in report.one("TC505").fix


def test_where_s3_may_announce_unseen_a_trail_without_a_topic_is_no_error(doctor, account):
    account.trail(SnsTopicName=None)
    account.front.denied["s3:GetBucketNotification"] = ""

    found = doctor().one("TC505")

    assert found.level == "not-checked"
    assert "whether S3 notifies of its files is not known" in found.text
    assert f'"Action": "s3:GetBucketNotification", "Resource": "arn:aws:s3:::{BUCKET}"' in found.fix


def test_a_trail_without_a_topic_is_no_error_if_another_notifies(doctor, account):
    trails = account.client("cloudtrail")
    trails.create_trail(Name="second", S3BucketName=BUCKET)
    trails.start_logging(Name="second")

    report = doctor()

    assert report.errors == []
    assert sorted(each.level for each in report.of("TC505")) == ["not-checked", "ok"]


def test_of_a_trail_that_is_stopped_beside_another_only_that_is_reported(doctor, account):
    account.client("cloudtrail").create_trail(Name="second", S3BucketName=BUCKET)

    report = doctor()

    assert report.errors == []
    assert [each.level for each in report.of("TC502")] == ["ok", "warning"]
    assert len(report.of("TC503")) == len(report.of("TC505")) == 1


def test_a_trail_that_cannot_announce_is_an_error(doctor, account):
    status(account, LatestNotificationError="AuthorizationError")

    report = doctor()

    assert report.errors == ["TC506"]
    assert f"cannot publish to {TOPIC_ARN}: AuthorizationError" in report.one("TC506").text


def test_one_that_cannot_because_of_the_topics_policy_is_one_error(doctor, account):
    account.topic_policy(allowing("s3.amazonaws.com", "sns:Publish", TOPIC_ARN, "arn:aws:s3:::x"))
    status(account, LatestNotificationError="AuthorizationError")

    report = doctor()

    assert report.errors == ["TC404"]
    assert report.one("TC506").text == "not checked, because of TC404 above"


def test_announcements_that_stay_behind_deliveries_are_a_warning(doctor, account):
    status(account, LatestNotificationTime=ago(hours=3))

    found = doctor().one("TC506")

    assert found.level == "warning"
    assert "notified 3 h ago, 3 h before its last delivery" in found.text


def test_a_trail_without_digests_is_a_warning(doctor, account):
    account.trail(EnableLogFileValidation=False)

    report = doctor()

    assert (report.code, report.worst) == (0, "TC507")


def test_digests_that_cannot_be_written_are_a_warning(doctor, account):
    status(account, LatestDigestDeliveryError="AccessDenied")

    report = doctor()

    assert (report.errors, report.worst) == ([], "TC507")
    assert report.one("TC507").text.endswith(f"digests to {BUCKET}: AccessDenied in {REGION}")


def test_denied_trails_are_not_checked_and_have_the_statement(doctor, account):
    account.front.denied["cloudtrail:DescribeTrails"] = ""

    report = doctor()

    assert report.errors == []
    found = report.one("TC501")
    assert found.level == "not-checked"
    assert found.text.startswith(f"{OWNER} may not cloudtrail:DescribeTrails on *: ")
    assert '"Action": "cloudtrail:DescribeTrails", "Resource": "*"' in found.fix


def test_a_denied_status_is_not_checked_and_has_the_statement(doctor, account):
    account.front.denied["cloudtrail:GetTrailStatus"] = ""

    report = doctor()

    assert report.errors == []
    assert report.one("TC504").level == "not-checked"
    assert f'"Action": "cloudtrail:GetTrailStatus", "Resource": "{TRAIL_ARN}"' in (
        report.one("TC504").fix
    )
    assert "TC502" not in report.levels
