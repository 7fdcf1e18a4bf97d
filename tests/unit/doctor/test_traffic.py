"""Files beside messages: what it means where there is one without the other."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from trailcourier.doctor.traffic import ENTRIES, Facts, judge

FACTS = {
    "newest": 60.0, "settled": 2000.0, "messages": 0, "delivered": None, "known": True,
    "kept": 345_600.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "id_", "level"),
    [
        pytest.param({"messages": 3}, "TC700", "ok", id="both"),
        pytest.param({"delivered": 30.0}, "TC700", "ok", id="delivered-since"),
        pytest.param({"delivered": 900.0}, "TC700", "ok", id="delivered-just-before"),
        pytest.param({"delivered": 1000.0}, "TC701", "error", id="delivered-long-before"),
        pytest.param({}, "TC701", "error", id="files-alone"),
        pytest.param({"settled": None}, "TC700", "not-checked", id="files-too-new-to-say"),
        pytest.param({"known": False}, "TC700", "not-checked", id="no-ledger"),
        pytest.param(
            {"settled": 400_000.0}, "TC700", "not-checked", id="older-than-the-queue-keeps"
        ),
        pytest.param({"newest": None, "messages": 2}, "TC702", "error", id="messages-alone"),
        pytest.param({"newest": None}, "TC703", "error", id="nothing"),
        pytest.param({"newest": None, "begun": 1000.0}, "TC703", "error", id="nothing-for-long"),
        pytest.param({"newest": None, "begun": 800.0}, "TC700", "not-checked", id="nothing-yet"),
    ],
)
def test_one_without_the_other_isjudge(facts, id_, level):
    found = judge(Facts(**(FACTS | facts)))

    assert (found.id, found.level) == (id_, level)
    assert level in ENTRIES[id_].levels


def test_files_and_messages_go_together(doctor):
    found = doctor().one("TC700")

    assert found.level == "ok"
    assert found.text.endswith(" old; messages that wait or are under lease: 1")


def aged(account, **how):
    """Have everything in the bucket be so old."""
    at = f"<LastModified>{datetime.now(UTC) - timedelta(**how):%Y-%m-%dT%H:%M:%SZ}<".encode()
    account.front.changes["s3:ListBucket"] = lambda reply: reply._replace(
        body=re.sub(rb"<LastModified>[^<]*<", at, reply.body), length=None
    )


def test_log_files_without_messages_are_an_error(doctor, account):
    account.purge()
    aged(account, minutes=40)

    report = doctor()

    assert report.errors == ["TC701"]
    assert report.one("TC701").text == (
        "a log file is 40 min old, no message waits, and the last delivery: never"
    )


def test_messages_without_log_files_are_an_error(doctor, account):
    account.empty()

    report = doctor()

    assert report.errors == ["TC702"]


def test_neither_files_nor_messages_is_an_error_with_the_manuals_order_of_checks(doctor, account):
    account.empty()
    account.purge()
    began(account, hours=1)

    report = doctor()

    assert report.errors == ["TC703"]
    fix = report.one("TC703").fix
    at = [fix.index(each) for each in ("policies", "queue's region", "log files exist", "bucket's")]
    assert at == sorted(at)
    assert fix in ENTRIES["TC703"].meaning


def began(account, **ago):
    """Have the trail have begun to log so long ago."""
    at = (datetime.now(UTC) - timedelta(**ago)).timestamp()
    account.front.changes["cloudtrail:GetTrailStatus"] = lambda reply: reply._replace(
        body=json.dumps(json.loads(reply.body) | {"StartLoggingTime": at}).encode(), length=None
    )


def test_a_trail_that_has_just_begun_is_given_time(doctor, account):
    account.empty()
    account.purge()
    began(account, minutes=10)

    report = doctor()

    assert report.errors == []
    assert report.one("TC700").text.endswith("the trail began to log only 10 min ago")


def deny(account, action):
    account.front.denied[action] = ""


@pytest.mark.parametrize(
    ("break_it", "first"),
    [
        pytest.param(lambda a: deny(a, "sqs:ReceiveMessage"), "TC303", id="policy"),
        pytest.param(lambda a: deny(a, "s3:GetObject"), "TC606", id="read"),
        pytest.param(lambda a: a.unsubscribe(), "TC402", id="subscription"),
    ],
)
def test_files_and_messages_are_not_compared_after_an_earlier_error(
    doctor, account, break_it, first
):
    account.purge()
    aged(account, minutes=40)
    break_it(account)

    report = doctor()

    assert report.errors == [first]
    assert report.one("TC700").text == f"not checked, because of {first} above"


@pytest.mark.parametrize(
    ("action", "words"),
    [("sqs:GetQueueAttributes", "(TC306)"), ("s3:ListBucket", "(TC604)")],
)
def test_files_and_messages_are_not_compared_if_either_is_unknown(doctor, account, action, words):
    account.front.denied[action] = ""

    found = doctor().one("TC700")

    assert found.level == "not-checked"
    assert words in found.text


def test_without_a_bucket_there_is_nothing_to_compare(doctor, account):
    account.front.denied |= {"cloudtrail:DescribeTrails": "", "s3:ListAllMyBuckets": ""}

    found = doctor(instead={'["acme-cloudtrail"]': '["acme-*"]'}).one("TC700")

    assert "(TC601)" in found.text
