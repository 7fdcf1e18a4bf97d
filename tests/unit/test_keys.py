import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcourier import keys
from trailcourier.reasons import REASONS

FILE = "111122223333_CloudTrail_eu-west-1_20261123T0650Z_AbCdEfGhIjKlMnOp.json.gz"
UNDER = "AWSLogs/111122223333"
DAY = "eu-west-1/2026/11/23"
LOG = f"{UNDER}/CloudTrail/{DAY}/{FILE}"
DIGEST = "111122223333_CloudTrail-Digest_eu-west-1_a_trail_eu-west-1_20261123T065000Z.json.gz"
ORG = "o-abcdefghij"
ORG_LOG = f"AWSLogs/{ORG}/111122223333/CloudTrail/{DAY}/{FILE}"


def judged(key, *, own=False, unknown="refuse", globs=()):
    return ": ".join(
        filter(None, keys.classify(key, accept_any_form=own, unknown=unknown, globs=globs))
    )


@pytest.mark.parametrize(
    ("key", "org", "prefix"),
    [
        pytest.param(LOG, None, "", id="an account's trail"),
        pytest.param(f"a b/ü+%2F/{LOG}", None, "a b/ü+%2F/", id="with a prefix"),
        pytest.param(ORG_LOG, ORG, "", id="an organisation's"),
        pytest.param(f"{ORG}/{ORG_LOG}", ORG, f"{ORG}/", id="Control Tower's"),
        pytest.param(f"{ORG}/{LOG}", None, f"{ORG}/", id="Control Tower before 3.0"),
        pytest.param(f"AWSLogs/444455556666/Config/{LOG}", None, "AWSLogs/444455556666/Config/",
                     id="a prefix that looks like another place"),
        pytest.param(f"{LOG}/{LOG}", None, f"{LOG}/", id="a log's key as prefix"),
        pytest.param(f"a\nb/{LOG}", None, "a\nb/", id="a prefix with a line break"),
    ],
)  # fmt: skip
def test_a_cloudtrail_key_is_parsed(key, org, prefix):
    assert keys.parse(key) == keys.KeyParts(
        kind="CloudTrail",
        account="111122223333",
        region="eu-west-1",
        date="2026-11-23",
        name=FILE,
        org=org,
        prefix=prefix,
    )


@pytest.mark.parametrize(
    "kind", ["Digest", "Insight", "NetworkActivity", "Aggregated"], ids=str.lower
)
def test_every_kind_of_file_is_parsed(kind):
    found = keys.parse(LOG.replace("CloudTrail/", f"CloudTrail-{kind}/"))

    assert found is not None
    assert found.kind == f"CloudTrail-{kind}"


NO_PLACE = {
    "empty": "",
    "an account of eleven digits": LOG.replace("111122223333/", "11112222333/"),
    "an account in other digits": LOG.replace("111122223333/", "١١١١٢٢٢٢٣٣٣٣/"),
    "no date": f"{UNDER}/CloudTrail/eu-west-1/{FILE}",
    "a date that goes on": LOG.replace("/23/", "/231/"),
    "something below the date": LOG.replace("/23/", "/23/more/"),
    "a region that is a path": LOG.replace("eu-west-1/", "../"),
    "a region too long for a file name": LOG.replace("eu-west-1/", f"{'e' * 200}/"),
    "another suffix": LOG.replace(".json.gz", ".parquet"),
    "only a suffix": LOG.replace(FILE, ".json.gz"),
    "a line break at its end": f"{LOG}\n",
    "another case": LOG.lower(),
    "a folder that only ends in AWSLogs": f"x{LOG}",
    "a kind that is new": LOG.replace("CloudTrail/", "CloudTrail-Next/"),
}


@pytest.mark.parametrize("key", NO_PLACE.values(), ids=NO_PLACE)
def test_a_key_of_another_form_is_not_parsed(key):
    assert keys.parse(key) is None
    assert judged(key) == "refused: unknown-key"


@pytest.mark.parametrize(
    ("key", "judgement"),
    [
        pytest.param(LOG, "read", id="log"),
        pytest.param(LOG.removesuffix(".gz"), "read", id="log as json"),
        pytest.param(LOG.replace("Trail/", "Trail-Insight/"), "read", id="insight"),
        pytest.param(LOG.replace("Trail/", "Trail-NetworkActivity/"), "read", id="network"),
        pytest.param(LOG.replace("Trail/", "Trail-Aggregated/"), "read", id="aggregated"),
        pytest.param(f"AWSLogs/444455556666/Config/{LOG}", "read", id="log below Config"),
        pytest.param(f"x/CloudTrail-Digest/{LOG}", "read", id="log below a digest folder"),
        pytest.param(LOG.replace(FILE, DIGEST), "read", id="digest's name in the log folder"),
        pytest.param(f"{UNDER}/CloudTrail-Digest/{DAY}/{DIGEST}", "skipped: digest", id="digest"),
        pytest.param(f"{UNDER}/CloudTrail-Digest/new", "skipped: digest", id="in digest folder"),
        pytest.param(f"copies/{DIGEST}", "skipped: digest", id="copy of a digest"),
        pytest.param(f"{UNDER}/CloudTrail/", "skipped: marker", id="marker"),
        pytest.param(f"{UNDER}/CloudTrail-Digest/", "skipped: marker", id="digest marker"),
        pytest.param("anything/", "skipped: marker", id="any marker"),
        pytest.param(f"{UNDER}/Config/ConfigWritabilityCheckFile", "skipped: other-service",
                     id="Config's check file"),
        pytest.param(f"{UNDER}/ELBAccessLogTestFile", "skipped: other-service", id="ELB's"),
        pytest.param(f"p/AWSLogs/{ORG}/111122223333/Config/eu-west-1/2026/1/2/x.json.gz",
                     "skipped: other-service", id="Config of an organisation"),
        pytest.param("AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/x.gz",
                     "skipped: other-service", id="flow logs by Hive's names"),
        pytest.param(f"{UNDER}/Configx/y", "refused: unknown-key", id="only begins like Config"),
        pytest.param(f"{UNDER}/Config", "refused: unknown-key", id="Config, but no folder"),
        pytest.param(f"{UNDER}/Config/{UNDER}/New/x", "refused: unknown-key", id="below Config"),
        pytest.param("Config/x", "refused: unknown-key", id="Config elsewhere"),
        pytest.param("../../etc/passwd", "refused: unknown-key", id="a path upwards"),
    ],
)  # fmt: skip
def test_a_key_is_classified(key, judgement):
    assert judged(key) == judgement


@pytest.mark.parametrize(
    "folder",
    [
        "AmazonQBusinessLogs", "BedrockModelInvocationLogs", "CloudFront", "CloudTrail-Lake",
        "Config", "GuardDuty", "KafkaBrokerLogs", "QDeveloperLogs", "RedshiftLogs", "SSM",
        "VpcLattice", "WAFLogs", "elasticloadbalancing", "globalaccelerator", "network-firewall",
        "redshift", "verifiedaccess", "vpcdnsquerylogs", "vpcflowlogs",
    ],
)  # fmt: skip
def test_another_services_folder_is_skipped(folder):
    assert judged(f"p/{UNDER}/{folder}/{DAY}/x.log.gz") == "skipped: other-service"


@pytest.mark.parametrize(
    "key",
    [
        f"{UNDER}/CloudTrail-Lake/Query/2026/11/23/0a1b2c3d/result_1.csv.gz",
        f"{UNDER}/CloudTrail-Lake/Query/2026/11/23/0a1b2c3d/result_sign.json",
        f"p/{UNDER}/BedrockModelInvocationLogs/us-east-1/2026/11/23/06/20261123T065Z_a.json.gz",
        f"p//{UNDER}/globalaccelerator/us-west-2/2026/11/23/x.log.gz",
        f"AWSLogs/{ORG}/111122223333/CloudTrail-Lake/Query/x",
    ],
)
def test_a_documented_key_of_another_service_is_skipped(key):
    for own in (False, True):
        assert judged(key, own=own) == "skipped: other-service"


def test_every_other_service_names_the_page_that_shows_its_keys():
    assert all("Guide" in page for page in keys.OTHER_SERVICES.values())


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        (f"{UNDER}/NewLogs/us-east-1/x.gz", "AWSLogs/*/NewLogs"),
        (f"a/b/AWSLogs/{ORG}/111122223333/NewLogs/x", "AWSLogs/*/NewLogs"),
        ("AWSLogs/aws-account-id=111122223333/aws-service=newlogs/x", "AWSLogs/*/newlogs"),
        (f"{UNDER}/one-file", "AWSLogs/*"),
        ("AWSLogs/999/x", "AWSLogs/*"),
        ("copies/of a log.json.gz", "copies/*"),
        ("/leading/x", "/*"),
        ("no-folder.json.gz", "*"),
        ("", "*"),
        ("\x1b[2J\u202e/x", "\\x1b[2J\\u202e/*"),
        (f"{UNDER}/{'N' * 1000}/x", f"AWSLogs/*/{'N' * 40}"),
        ("\x07" * 1000 + "/x", "\\x07" * 10 + "/*"),
    ],
    ids=repr,
)  # fmt: skip
def test_the_folder_label_is_short_and_escaped(key, folder):
    assert keys.folder_label(key) == folder


@given(st.text(max_size=200))
def test_the_folder_label_of_any_key_is_safe_in_a_log_line(key):
    assert keys.folder_label(key).isprintable()
    assert len(keys.folder_label(key)) <= keys.FOLDER_LENGTH + 10


@pytest.mark.parametrize(
    ("own", "judgement"), [(False, "refused: unknown-key"), (True, "read")], ids=["s3", "own"]
)
@pytest.mark.parametrize("key", ["new/shape.json.gz", f"{UNDER}/CloudTrail-New/{DAY}/x.json.gz"])
def test_a_new_form_is_read_if_cloudtrail_announces_it(key, own, judgement):
    assert judged(key, own=own) == judgement


@pytest.mark.parametrize(
    ("unknown", "judgement"),
    [
        ("refuse", "refused: unknown-key"),
        ("skip", "skipped: unknown-key-skipped"),
        ("read", "read"),
    ],
    ids=["refuse", "skip", "read"],
)
def test_the_source_decides_about_unknown_keys(unknown, judgement):
    assert judged("copies/x.json.gz", unknown=unknown) == judgement


@pytest.mark.parametrize("unknown", ["read", "skip", "refuse"])
def test_an_unknown_key_in_cloudtrails_notification_is_read(unknown):
    new = LOG.replace("CloudTrail/", "CloudTrail-Next/")

    assert judged(new, own=True, unknown=unknown) == "read"


@pytest.mark.parametrize(
    ("glob", "key", "judgement"),
    [
        pytest.param("copies/*.json.gz", "copies/a/b.json.gz", "read", id="any depth"),
        pytest.param("copies/*.json.gz", "Copies/b.json.gz", "refused: unknown-key", id="case"),
        pytest.param("copies/*.json.gz", "x/copies/b.json.gz", "refused: unknown-key", id="whole"),
        pytest.param("*", f"copies/{DIGEST}", "skipped: digest", id="no digest"),
        pytest.param("*", "copies/", "skipped: marker", id="no marker"),
        pytest.param("*", f"{UNDER}/Config/x", "skipped: other-service", id="no other service"),
    ],
)
def test_copies_under_other_names_are_read_by_glob(glob, key, judgement):
    assert judged(key, globs=["none", glob]) == judgement


@pytest.mark.parametrize(
    ("patterns", "answer"),
    [
        pytest.param([], True, id="no list"),
        pytest.param(["acme-cloudtrail"], True, id="by name"),
        pytest.param(["none", "acme-*"], True, id="by glob"),
        pytest.param(["acme"], False, id="only its beginning"),
        pytest.param(["ACME-*"], False, id="another case"),
    ],
)
def test_a_bucket_is_allowed_by_glob(patterns, answer):
    assert keys.is_allowed("acme-cloudtrail", patterns) is answer


PIECES = ["AWSLogs/", "111122223333/", "CloudTrail/", "CloudTrail-Digest/", "Config/", f"{DAY}/",
          FILE, f"{ORG}/", "/", "..", "\x00", "\n", "ü"]  # fmt: skip


@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join), st.booleans())
def test_every_key_is_classified_with_a_known_reason(key, own):
    status, reason = keys.classify(key, accept_any_form=own, unknown="refuse", globs=["*x*"])

    assert status == (REASONS[reason].status if reason else "read")


@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_the_parts_of_a_key_are_safe_in_a_path(key):
    found = keys.parse(key)

    fields = [found.kind, found.account, found.region, found.date, found.org or ""] if found else []
    assert set("".join(fields)) <= set(string.ascii_letters + string.digits + "-")
    assert all(len(field) <= 40 for field in fields)


def test_the_longest_keys_are_classified_quickly():
    began = time.perf_counter()

    for key in ("AWSLogs/" * 128, f"{UNDER}/" * 48, f"{UNDER}/Config/" * 36, "/" * 1024):
        judged(f"{key[:1023]}x", globs=["*a*b*c*d*"])

    assert time.perf_counter() - began < 1


NAMES = {  # a bucket's name: may one be made now, may one be there
    "acme-logs": (True, True),
    "abc": (True, True),
    "b" * 63: (True, True),
    "acme.logs": (True, True),
    "Acme_Logs": (False, True),
    "_acme": (False, True),
    "b" * 64: (False, True),
    "B" * 255: (False, True),
    "B" * 256: (False, False),
    "ab": (False, False),
    "": (False, False),
    "a..b": (False, False),
    "-acme": (False, False),
    "acme-": (False, False),
    "192.0.2.1": (False, False),
    "acme/logs": (False, False),
    "acme\n": (False, False),
    "b\u00fccher": (False, False),
}


@pytest.mark.parametrize(("name", "answers"), NAMES.items(), ids=lambda part: repr(part)[:30])
def test_bucket_names_follow_the_current_rules_and_those_before_2018(name, answers):
    matches = [bool(rule.fullmatch(name)) for rule in (keys.NEW_BUCKET, keys.BUCKET)]

    assert tuple(matches) == answers
