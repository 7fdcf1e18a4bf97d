import json
import tracemalloc

import pytest

from trailcourier.filters import (
    DEFAULT_RULE,
    NO_KEEP_RULE,
    FilterRules,
    compile_rules,
    pass_everything,
    select_passing,
)

READ = {
    "eventVersion": "1.11",
    "userIdentity": {"type": "AWSService", "invokedBy": "config.amazonaws.com"},
    "eventSource": "ec2.amazonaws.com",
    "readOnly": True,
    "managementEvent": True,
}
GONE = object()


def decide(rules, record):
    text = record if isinstance(record, bytes) else json.dumps(record, separators=(",", ":"))
    text = text if isinstance(text, bytes) else text.encode()
    (verdict,) = compile_rules(rules)([text])
    return verdict


def changed(**members):
    return {name: value for name, value in (READ | members).items() if value is not GONE}


@pytest.mark.parametrize(
    ("record", "dropped"),
    [
        pytest.param(READ, True, id="a read by a service"),
        pytest.param(changed(errorCode=None), True, id="errorCode null"),
        pytest.param(changed(more={"readOnly": False}), True, id="another readOnly inside"),
        pytest.param(changed(userIdentity={"type": "AWSService"}), True, id="no invokedBy"),
        pytest.param(changed(userIdentity=GONE), False, id="no userIdentity"),
        pytest.param(changed(userIdentity=None), False, id="userIdentity null"),
        pytest.param(changed(userIdentity="AWSService"), False, id="userIdentity a string"),
        pytest.param(changed(userIdentity=["type"]), False, id="userIdentity an array"),
        pytest.param(changed(userIdentity={}), False, id="no type"),
        pytest.param(changed(userIdentity={"type": None}), False, id="type null"),
        pytest.param(changed(userIdentity={"type": {}}), False, id="type an object"),
        pytest.param(changed(userIdentity={"type": "AssumedRole"}), False, id="a role"),
        pytest.param(changed(userIdentity={"type": "awsservice"}), False, id="lower case"),
        pytest.param(changed(readOnly=GONE), False, id="no readOnly"),
        pytest.param(changed(readOnly=False), False, id="a write"),
        pytest.param(changed(readOnly="true"), False, id="readOnly a string"),
        pytest.param(changed(readOnly=1), False, id="readOnly a number"),
        pytest.param(changed(readOnly=None), False, id="readOnly null"),
        pytest.param(changed(managementEvent=GONE), False, id="no managementEvent"),
        pytest.param(changed(managementEvent=False), False, id="a data event"),
        pytest.param(changed(errorCode="AccessDenied"), False, id="failed"),
        pytest.param(changed(errorCode=""), False, id="errorCode empty"),
        pytest.param(changed(errorCode={}), False, id="errorCode an object"),
        pytest.param(changed(eventSource=GONE), False, id="no eventSource"),
        pytest.param(changed(eventSource=None), False, id="eventSource null"),
        pytest.param(changed(eventSource=["ec2"]), False, id="eventSource an array"),
        pytest.param(changed(eventSource="sts.amazonaws.com"), False, id="sts"),
        pytest.param(changed(eventSource="kms.amazonaws.com"), False, id="kms"),
        pytest.param(changed(eventSource="secretsmanager.amazonaws.com"), False, id="secrets"),
        pytest.param(changed(eventSource="ssm.amazonaws.com"), False, id="ssm"),
        pytest.param(changed(eventSource="ssm2.amazonaws.com"), True, id="no ssm"),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_the_default_rule_drops_only_reads_by_services(record, dropped):
    assert decide(DEFAULT_RULE, record) == ("aws-service-reads" if dropped else None)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(b"not json", id="no JSON"),
        pytest.param(b'{"readOnly":1e999}', id="a number beyond every range"),
        pytest.param(b'{"readOnly":"\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"readOnly":"\xff"}', id="no UTF-8"),
        pytest.param(b'{"x":' + b"[" * 9999 + b"]" * 9999 + b"}", id="nested too deeply"),
        pytest.param(b"[]", id="no object"),
    ],
)
def test_a_record_that_cannot_be_decoded_passes(record):
    rules = FilterRules.model_validate({"keep": [{"readOnly": False}]})

    assert decide(rules, record) is None


def test_fields_written_with_escapes_are_the_same_fields():
    text = json.dumps(READ).replace("readOnly", "r\\u0065adOnly").replace("AWSS", "AWS\\u0053")

    assert decide(DEFAULT_RULE, text.encode()) == "aws-service-reads"


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param('"userIdentity":{"type":"AWSService"},"userIdentity":{"type":"Root"}', id="a"),
        pytest.param('"userIdentity":{"type":"Root"},"userIdentity":{"type":"AWSService"}', id="b"),
        pytest.param('"userIdentity":{"type":"Root","type":"AWSService"}', id="c"),
    ],
)
def test_a_record_with_two_types_passes_if_one_of_them_passes(identity):
    text = json.dumps(READ, separators=(",", ":")).partition(',"eventSource"')
    record = '{"eventVersion":"1.11",' + identity + text[1] + text[2]

    assert decide(DEFAULT_RULE, record.encode()) is None


@pytest.mark.parametrize(
    ("glob", "text", "matches"),
    [
        ("kms.*", "kms.amazonaws.com", True),
        ("kms.*", "kms.", True),
        ("kms.*", "kmsx", False),
        ("*.amazonaws.com", "a.b.amazonaws.com", True),
        ("*.amazonaws.com", "a.amazonaws.com.example.com", False),
        ("Get*Policy*", "GetBucketPolicyStatus", True),
        ("Get*Policy*", "GetBucketAcl", False),
        ("*ab*ab", "xabyab", True),
        ("*ab*ab", "xaby", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a?c", "aüc", True),
        ("*", "", True),
        ("a*", "a\nb", True),
        ("a.c", "abc", False),
        ("[ab]*", "a", False),
        ("[ab]*", "[ab]c", True),
        ("ü*", "über", True),
        ("A*", "abc", False),
    ],
)
def test_a_glob_matches_whole_values(glob, text, matches):
    rules = FilterRules.model_validate({"drop": [{"eventName": glob}]})

    assert (decide(rules, {"eventName": text}) == "drop-1") is matches


def test_no_glob_is_slow():
    rules = FilterRules.model_validate({"drop": [{"userAgent": "*a*a*a*a*a*a*a*a*a*b"}]})

    assert decide(rules, {"userAgent": "a" * 100_000}) is None


@pytest.mark.parametrize(
    ("asked", "value", "matches"),
    [
        pytest.param({"present": True}, {"x": 1}, True, id="an object is present"),
        pytest.param({"present": True}, [], True, id="an array is present"),
        pytest.param({"present": True}, None, False, id="null is not"),
        pytest.param({"present": False}, None, True, id="null is absent"),
        pytest.param({"present": False}, GONE, True, id="missing is absent"),
        pytest.param({"present": False}, False, False, id="false is present"),
        pytest.param({"not": ["a"]}, "b", True, id="not a"),
        pytest.param({"not": "a"}, "a", False, id="not a, but it is"),
        pytest.param({"not": ["a*", 1]}, 2, True, id="not any"),
        pytest.param({"not": ["a"]}, GONE, False, id="missing is not not a"),
        pytest.param({"not": ["a"]}, None, False, id="null is not not a"),
        pytest.param({"not": ["a"]}, {"a": 1}, False, id="nor is an object"),
        pytest.param(1, 1, True, id="a number"),
        pytest.param(1, 1.0, True, id="a number written otherwise"),
        pytest.param(1, True, False, id="true is not 1"),
        pytest.param(True, 1, False, id="1 is not true"),
        pytest.param("1", 1, False, id="1 is no string"),
        pytest.param(["a", 1, False], False, True, id="one of"),
        pytest.param(2**70, 2**70, True, id="a large number"),
    ],
)
def test_a_condition_matches_its_values(asked, value, matches):
    rules = FilterRules.model_validate({"drop": [{"x": asked}]})

    assert (decide(rules, {} if value is GONE else {"x": value}) == "drop-1") is matches


def test_values_that_python_calls_equal_are_distinguished():
    decision = compile_rules(FilterRules.model_validate({"drop": [{"x": True}]}))

    found = decision([b'{"x":true}', b'{"x":1}', b'{"x":1.0}', b'{"x":true}', b'{"x":1}'])

    assert found == ["drop-1", None, None, "drop-1", None]


def test_a_path_may_lead_through_a_path():
    rules = FilterRules.model_validate({"drop": [{"a": {"present": True}, "a.b.c": 1, "a.b.d": 2}]})

    assert decide(rules, {"a": {"b": {"c": 1, "d": 2}}}) == "drop-1"
    assert decide(rules, {"a": {"b": [{"c": 1, "d": 2}]}}) is None
    assert decide(rules, {"a": {"b": {"c": 1}}}) is None


def test_keep_drops_other_records_and_drop_comes_first():
    rules = FilterRules.model_validate(
        {"drop": [{"name": "noise", "a": 1}], "keep": [{"b": 1}, {"b": 2}]}
    )

    found = [decide(rules, r) for r in ({"a": 1, "b": 1}, {"b": 1}, {"b": 2}, {"b": 3}, {})]

    assert found == ["noise", None, None, NO_KEEP_RULE, NO_KEEP_RULE]


def test_the_first_rule_that_matches_is_named():
    rules = FilterRules.model_validate({"drop": [{"a": 1, "b": 1}, {"a": 1}, {"a": [1, 2]}]})

    assert [decide(rules, {"a": n}) for n in (1, 2, 3)] == ["drop-2", "drop-3", None]


def test_a_long_value_is_decided_like_a_short_one():
    rules = FilterRules.model_validate({"drop": [{"a": "x*"}]})

    assert [decide(rules, {"a": letter * 9999}) for letter in "xy"] == ["drop-1", None]


def test_records_that_no_rule_drops_pass():
    assert select_passing([b"1", b"2", b"3"], [None, "rule", None]) == [b"1", b"3"]
    assert pass_everything([b"1", b"2"]) == [None, None]


ROOT = {"eventVersion": "1.11", "userIdentity": {"type": "Root", "accountId": "111122223333"}}


@pytest.mark.parametrize(
    ("tables", "verdict"),
    [
        pytest.param({"drop": [{"userIdentity.type": "AWSService"}]}, None, id="another type"),
        pytest.param({"drop": [{"userIdentity.type": "Root"}]}, "drop-1", id="this type"),
        pytest.param({"drop": [{"userIdentity.type": ["x", "Ro*"]}]}, "drop-1", id="a glob"),
        pytest.param({"drop": [{"userIdentity.type": {"not": "x"}}]}, "drop-1", id="not another"),
        pytest.param(
            {"drop": [{"userIdentity.type": "AWSService"}, {"eventVersion": "1.11"}]},
            "drop-2",
            id="a rule about something else",
        ),
        pytest.param(
            {"drop": [{"userIdentity.type": "AWSService"}], "keep": [{"readOnly": False}]},
            NO_KEEP_RULE,
            id="kept by nothing",
        ),
    ],
)
def test_a_record_in_aws_usual_form_is_checked_by_every_rule(tables, verdict):
    assert decide(FilterRules.model_validate(tables), ROOT) == verdict


def test_the_caches_stay_small():
    decision = compile_rules(FilterRules.model_validate({"drop": [{"a": "x"}]}))

    tracemalloc.start()
    for n in range(2000):
        decision([b'{"a":"%d%s"}' % (n, b"y" * 20_000)])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 1_000_000
