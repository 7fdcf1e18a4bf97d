from datetime import UTC, datetime

import pytest

from trailcourier import records


def record(time, more=b""):
    return b'{"eventVersion":"1.11","userIdentity":{"type":"Root"},"eventTime":"%b"%b}' % (
        time.encode(), more,
    )  # fmt: skip


def unix(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_the_newest_time_of_a_batch_is_found_at_any_position():
    times = ["2026-11-24T09:00:00Z", "2026-11-24T09:04:59Z", "2026-11-24T08:59:00Z"]

    assert records.newest_event_time([record(each) for each in times]) == unix(
        "2026-11-24T09:04:59"
    )


def test_many_records_are_sampled_from_the_whole_batch():
    batch = [record(f"2026-11-24T09:{n // 60:02}:{n % 60:02}Z") for n in range(1000)]

    assert unix("2026-11-24T09:16:39") - records.newest_event_time(batch) < 60


def test_the_event_time_is_the_first_member_of_that_name():
    nested = b',"requestParameters":{"eventTime":"2099-01-01T00:00:00Z"}'

    found = records.newest_event_time([record("2026-11-24T09:00:00Z", nested)])

    assert found == unix("2026-11-24T09:00:00")


@pytest.mark.parametrize("space", [b" ", b"\t", b"\r\n", b"\n    "])
def test_the_time_is_found_with_any_space_around_the_colon(space):
    batch = [b'{"eventTime"' + space + b":" + space + b'"2026-11-24T09:00:00Z"}', b"{}"]

    assert records.newest_event_time(batch) == unix("2026-11-24T09:00:00")


def test_an_invalid_time_does_not_hide_a_valid_one():
    batch = [record("yesterday"), record("2026-11-24T09:00:00Z"), record("9999-99-99T99:99:99z")]

    assert records.newest_event_time(batch) == unix("2026-11-24T09:00:00")


@pytest.mark.parametrize(
    "batch",
    [
        [],
        [b"{}"],
        [b'{"eventTime":7}'],
        [record("yesterday")],
        [b'{"eventTime":"\xff\xfe"}'],
        [record("2026-13-24T09:00:00Z")],
    ],
    ids=["no-record", "no-time", "a-number", "no-iso-time", "no-text", "no-such-month"],
)
def test_a_batch_without_times_has_none(batch):
    assert records.newest_event_time(batch) == 0
