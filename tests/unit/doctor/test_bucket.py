"""Where the bucket is, what may be seen there, and reading one log file."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.aws_answers import s3_error
from tests.support.aws_front import KEY, OWNER
from tests.support.doctor_call import fall_silent
from tests.support.http_stub import Reply
from tests.support.trail_account import BUCKET, REGION
from trailcourier.ledger.admission import NamedObject
from trailcourier.models import Message, ObjectRef

BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"


def statement(action, resource):
    return json.dumps({"Effect": "Allow", "Action": action, "Resource": resource})


def test_a_healthy_bucket_is_found_listed_and_read(doctor, account):
    report = doctor()

    assert report.one("TC601").text == f"bucket {BUCKET} exists, in {REGION}"
    assert report.one("TC602").level == "ok"
    assert report.one("TC604").level == "ok"
    assert report.one("TC605").text.startswith(f"the newest log file in {BUCKET} is ")
    assert "was read: " in report.one("TC606").text
    assert report.one("TC608").text.endswith(" is a valid log file with 1 records")


@pytest.mark.parametrize("how", ["301", "400"])
def test_a_301_is_reported_with_both_regions(doctor, account, how):
    account.front.regions[BUCKET] = "eu-central-1"
    account.front.redirects = how

    report = doctor()

    found = report.one("TC602")
    assert (found.level, report.errors) == ("warning", [])
    assert found.text == (
        f"301: bucket_region is {REGION}, and the bucket {BUCKET} is in eu-central-1 (S3 "
        f"answered {how})"
    )
    assert found.fix == (
        'Set `bucket_region = "eu-central-1"` in the source, or leave `bucket_region` out.'
    )
    assert report.one("TC606").level == "ok"


def test_a_bucket_in_another_region_is_an_error_with_strict_region(doctor, account):
    account.front.regions[BUCKET] = "eu-central-1"

    report = doctor(instead={"bucket_region": "strict_region = true\nbucket_region"})

    assert (report.code, report.errors) == (1, ["TC602"])


def test_a_denied_bucket_still_shows_its_region(doctor, account):
    account.front.regions[BUCKET] = "eu-central-1"
    account.front.denied["s3:ListBucket"] = ""

    found = doctor().one("TC602")

    assert "is in eu-central-1" in found.text


def test_a_matching_bucket_region_is_ok(doctor):
    assert doctor().one("TC602") == (
        "prod", "ok", "TC602", f"{BUCKET} is in {REGION}, where the source asks for it", ""
    )  # fmt: skip


def test_a_bucket_whose_region_is_left_open_may_be_anywhere(doctor, account):
    account.front.regions[BUCKET] = "eu-central-1"

    report = doctor(instead={'bucket_region = "eu-west-1"\n': ""})

    assert report.one("TC602").level == "ok"
    assert report.one("TC606").level == "ok"


def test_a_redirect_that_names_no_region_is_asked_after(doctor, account):
    def answer(asked):
        return Reply(301) if asked.given["method"] == "HEAD" and not asked.object else None

    account.front.answers["s3:ListBucket"] = answer
    account.front.answers["s3:GetBucketLocation"] = lambda _: Reply(
        200, b"<LocationConstraint>EU</LocationConstraint>", (("Content-Type", "application/xml"),)
    )

    report = doctor(instead={'bucket_region = "eu-west-1"': 'bucket_region = "eu-north-1"'})

    assert "is in eu-west-1" in report.one("TC602").text


def test_a_bucket_that_does_not_exist_is_an_error(doctor, account):
    account.front.denied["cloudtrail:DescribeTrails"] = ""

    report = doctor(instead={f'buckets = ["{BUCKET}"]': 'buckets = ["acme-typo"]'})

    assert report.errors[:1] == ["TC601"]
    assert report.one("TC601").text == "the bucket acme-typo does not exist"
    assert "TC605" not in report.levels


def test_globs_alone_name_no_bucket(doctor):
    found = doctor(instead={f'["{BUCKET}"]': '["acme-*"]'}).of("TC601")

    assert all(each.level != "error" for each in found)


def test_a_bucket_of_another_account_than_expected_is_an_error(doctor, account):
    account.front.owners[BUCKET] = "999999999999"
    more = 'expected_bucket_owner = "123456789012"\nbucket_region'

    report = doctor(instead={"bucket_region": more})

    assert report.errors[:1] == ["TC603"]
    assert report.one("TC603").text.endswith("does not belong to account 123456789012")


def test_a_bucket_of_the_expected_account_is_ok(doctor, account):
    more = 'expected_bucket_owner = "123456789012"\nbucket_region'

    report = doctor(instead={"bucket_region": more})

    assert report.errors == []
    assert "TC603" not in report.levels


def test_without_list_permission_the_newest_files_are_not_checked(doctor, account):
    account.front.denied["s3:ListBucket"] = ""

    report = doctor()

    assert report.errors == []
    found = report.one("TC604")
    assert found.level == "warning"
    assert found.text.startswith(f"{OWNER} may not s3:ListBucket on {BUCKET_ARN}: ")
    assert statement("s3:ListBucket", BUCKET_ARN) in found.fix
    assert "If another account owns the bucket" in found.fix
    assert report.one("TC605").level == "not-checked"
    assert report.one("TC606").level == "not-checked"


def test_a_recent_delivery_proves_that_the_source_may_read(doctor, account, delivered):
    account.front.denied["s3:ListBucket"] = ""
    delivered(300)

    found = doctor().one("TC606")

    assert (found.level, found.text) == ("ok", "the workers delivered a log file 5 min ago")


def test_without_listing_an_object_that_the_line_failed_on_is_tried(doctor, account, ledger):
    ref = ObjectRef(BUCKET, account.deliver())
    account.front.denied |= {"s3:ListBucket": "", "s3:GetObject": ""}
    ledger.leases.admit(Message("m", "r", "", 1), [NamedObject(ref)], visibility=600)
    park(ledger, "m")

    report = doctor()

    assert report.errors == ["TC606"]


def park(ledger, message):
    """Have the one object of *message* wait for another try."""
    member = f"{message}/0"
    own, client = ledger.store.own, ledger.store.client
    client.zrem(f"{own}flight", member)
    for name in ("parked", "p:"):
        client.zadd(f"{own}{name}", {member: ledger.store.read_clock() + 600_000})
    client.sadd(f"{own}scopes", "")
    client.hset(f"{own}m:{message}", mapping={"0:p": "", "0:pt": 0, "0:pr": "access-denied"})


def test_an_object_that_may_not_be_read_is_an_error_with_the_statement(doctor, account):
    account.front.denied["s3:GetObject"] = ""

    report = doctor()

    assert report.errors == ["TC606"]
    found = report.one("TC606")
    assert found.text.startswith(f"{OWNER} may not s3:GetObject on {BUCKET_ARN}/*: ")
    assert statement("s3:GetObject", f"{BUCKET_ARN}/*") in found.fix


KMS_KEY = f"arn:aws:kms:{REGION}:999999999999:key/1234"


def test_an_object_whose_metadata_alone_may_be_read_lacks_its_key(doctor, account):
    account.empty()
    account.deliver(ServerSideEncryption="aws:kms", SSEKMSKeyId=KMS_KEY)
    account.front.answers["s3:GetObject"] = lambda asked: (
        s3_error(403, "AccessDenied") if asked.given["method"] == "GET" else None
    )

    report = doctor()

    assert report.errors == ["TC607"]
    found = report.one("TC607")
    assert f"{OWNER} may not use the key {KMS_KEY}" in found.text
    assert statement("kms:Decrypt", KMS_KEY) in found.fix
    assert '"Principal": {"AWS": "' + OWNER in found.fix
    assert found.fix.endswith("The key's policy has to allow it too.")


def test_a_key_that_is_disabled_is_an_error(doctor, account):
    account.front.answers["s3:GetObject"] = lambda asked: (
        s3_error(400, "KMS.DisabledException") if asked.given["method"] == "GET" else None
    )

    report = doctor()

    assert report.errors == ["TC607"]
    assert "KMS.DisabledException" in report.one("TC607").text


def test_a_newest_file_that_is_archived_is_an_error(doctor, account):
    account.empty()
    account.deliver(StorageClass="GLACIER")

    found = doctor().one("TC606")

    assert found.level == "error"
    assert "is archived, " in found.text


def test_a_file_that_is_no_log_is_a_warning(doctor, account):
    account.empty()
    key = account.deliver()
    account.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b'{"a": 1}')

    report = doctor()

    assert report.one("TC606").level == "ok"
    assert report.one("TC608").level == "warning"
    assert "is not a valid log file" in report.one("TC608").text


def test_files_that_are_days_old_are_a_warning(doctor, account):
    long_ago = f"<LastModified>{datetime.now(UTC) - timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}<".encode()
    account.front.changes["s3:ListBucket"] = lambda reply: reply._replace(
        body=re.sub(rb"<LastModified>[^<]*<", long_ago, reply.body), length=None
    )

    found = doctor().one("TC605")

    assert found.level == "warning"
    assert found.text == f"the newest log file in {BUCKET} is 3 d old"


def test_an_empty_bucket_holds_no_log_file(doctor, account):
    account.empty()

    found = doctor().one("TC605")

    assert (found.level, found.text) == ("warning", f"{BUCKET} holds no log file")


@pytest.mark.parametrize("ago", [timedelta(hours=5), timedelta(days=1), timedelta(days=40)])
def test_a_file_is_found_however_old_its_folder_is(doctor, account, ago):
    account.empty()
    account.deliver(ago=ago)

    assert "was read" in doctor().one("TC606").text


@pytest.mark.parametrize("seen", [True, False], ids=["of-the-trail", "found"])
def test_a_file_below_a_prefix_and_an_organisation_is_found(doctor, account, seen):
    account.empty()
    account.trail(S3KeyPrefix="a/b")
    if not seen:
        account.front.denied["cloudtrail:DescribeTrails"] = ""
    s3 = account.client("s3")
    for key in ("a/b/AWSLogs/o-abcdefghij/123456789012/CloudTrail/eu-west-1/2026/11/20/x.json.gz",
                "a/b/AWSLogs/o-abcdefghij/123456789012/CloudTrail-Digest/eu-west-1/2026/11/21/d.json.gz",
                "other/x.json.gz"):  # fmt: skip
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")

    assert "2026/11/20/x.json.gz was read" in doctor().one("TC606").text


def test_a_copy_under_another_name_is_found_by_the_globs(doctor, account):
    account.empty()
    account.client("s3").put_object(Bucket=BUCKET, Key="copies/one.json", Body=b"x")

    report = doctor(instead={"bucket_region": 'keys = ["copies/*"]\nbucket_region'})

    assert "copies/one.json was read" in report.one("TC606").text


def test_two_silent_services_are_one_error(doctor, account, monkeypatch):
    fall_silent(monkeypatch, account.front, "sqs", "s3")

    report = doctor()

    assert report.errors == ["TC105"]
    assert report.of("TC601")[0].text == "not checked, because of TC105 above"


def test_with_the_least_permissions_the_bucket_is_seen_whole(doctor, account):
    account.front.holders[KEY].allowed = (
        "s3:Get*", "s3:List*", "sqs:ReceiveMessage", "sqs:DeleteMessage",
    )  # fmt: skip

    report = doctor()

    assert report.errors == []
    for id_ in ("TC601", "TC602", "TC604", "TC605", "TC606", "TC608"):
        assert report.one(id_).level == "ok"


def test_of_many_accounts_some_are_listed_and_the_text_says_so(doctor, account):
    s3 = account.client("s3")
    for other in range(6):
        key = f"AWSLogs/{other:012}/CloudTrail/eu-west-1/2026/11/20/x.json.gz"
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")

    found = doctor().one("TC605")

    assert found.text.endswith(", in the 4 folders that were listed")
    listed = {each.given.get("prefix") for each in account.front.asked("s3:ListBucket")}
    assert "AWSLogs/123456789012/CloudTrail/" in listed, "the account of the queue is among them"


@pytest.mark.parametrize("ago", [timedelta(hours=5), timedelta(days=1)])
def test_of_many_regions_the_one_with_the_latest_day_is_found(doctor, account, ago):
    account.empty()
    s3, day = account.client("s3"), datetime.now(UTC) - ago
    old = datetime(2020, 1, 1, tzinfo=UTC)
    for region, at in [*((each, old) for each in "abcde"), ("f", day)]:
        name = f"123456789012_CloudTrail_eu-{region}-1_{at:%Y%m%dT%H%M}Z_x.json.gz"
        key = f"AWSLogs/123456789012/CloudTrail/eu-{region}-1/{at:%Y/%m/%d}/{name}"
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")

    assert "/eu-f-1/" in doctor().one("TC606").text
