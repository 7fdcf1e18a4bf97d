import pytest

from trailcourier import breaker_name
from trailcourier.breaker_name import BreakerName

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
NAMES = [
    ("queue:prod", breaker_name.queue_breaker("prod")),
    ("delete:prod", breaker_name.delete_breaker("prod")),
    ("credentials:prod", breaker_name.credentials_breaker("prod")),
    ("bucket:prod:acme", breaker_name.bucket_breaker("prod", "acme")),
    ("bucket:prod:acme/111122223333", breaker_name.bucket_breaker("prod", "acme/111122223333")),
    (f"kms:prod:{KEY}", breaker_name.kms_breaker("prod", KEY)),
    ("sink:siem", breaker_name.sink_breaker("siem")),
]


@pytest.mark.parametrize(("text", "name"), NAMES)
@pytest.mark.parametrize("host", ["", "host-1.example.com"])
def test_a_name_is_written_and_parsed_alike(text, name, host):
    written = f"{text}@{host}" if host else text

    assert str(name.on_host(host)) == written
    assert BreakerName.parse(written) == name.on_host(host)


def test_every_kind_has_a_name():
    assert {name.kind for _, name in NAMES} == set(breaker_name.KINDS)


@pytest.mark.parametrize("text", ["other", "other:prod", "other@host"])
def test_a_name_of_another_version_stays_as_it_is(text):
    assert str(BreakerName.parse(text)) == text
