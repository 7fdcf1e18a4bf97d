import tomllib

import pytest
from pydantic import ValidationError

from trailcourier.filters import DEFAULT_RULE, FilterRules, describe


def rules(toml: str) -> FilterRules:
    return FilterRules.model_validate(tomllib.loads(toml))


def problem(toml: str) -> str:
    with pytest.raises(ValidationError) as caught:
        rules(toml)
    return str(caught.value)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        pytest.param("", "neither drop nor keep; to send everything set", id="nothing"),
        pytest.param("drop = []", "neither drop nor keep", id="no drop"),
        pytest.param("keep = []", "keep is empty, so no record would pass", id="no keep"),
        pytest.param("drops = []", "drops\n  Extra inputs are not permitted", id="unknown key"),
        pytest.param("drop = [{}]", "drop.0\n  Value error, a rule without a field", id="empty"),
        pytest.param('drop = [{name = "x"}]', "a rule without a field", id="only a name"),
        pytest.param('drop = ["x"]', "drop.0\n", id="no table"),
        pytest.param('drop = [{"a..b" = 1}]', "'a..b' is not a field path", id="a gap in the path"),
        pytest.param(
            "drop = [{a = []}]", "a: expected a value, a list of values, {", id="no value"
        ),
        pytest.param("drop = [{a = {not = []}}]", "a: expected a value", id="not nothing"),
        pytest.param("drop = [{a = {nott = 1}}]", "a: expected a value", id="a word unknown"),
        pytest.param('drop = [{a = {present = "yes"}}]', "a: expected a value", id="present what"),
        pytest.param("drop = [{a = {present = true, not = 1}}]", "a: expected", id="two at once"),
        pytest.param("drop = [{a = [[1]]}]", "a: expected a value", id="a list in a list"),
        pytest.param("drop = [{a = 2026-11-28}]", "a: expected a value", id="a date"),
        pytest.param(
            'drop = [{a = 1, name = "x y"}]', "name 'x y': use up to 64 letters", id="name"
        ),
        pytest.param("drop = [{a = 1, name = 5}]", "drop.0.name\n", id="a number for a name"),
        pytest.param('drop = [{a = 1, name = "no-keep-rule"}]', "but not 'no-keep", id="reserved"),
        pytest.param("drop = [{EventSource = 1}]", "did you mean eventSource", id="wrong case"),
        pytest.param('drop = [{"useridentity.type" = 1}]', "did you mean userIdentity", id="path"),
    ],
)
def test_an_invalid_rule_is_an_error(toml, message):
    assert message in problem(toml)


def test_rules_cannot_be_changed_and_can_be_hashed():
    first, second = rules("drop = [{a = [1, true]}]"), rules("drop = [{a = [1, true]}]")

    assert first == second
    assert hash(first) == hash(second)
    with pytest.raises(ValidationError):
        first.drop = ()


def test_values_keep_their_type():
    (rule,) = rules('drop = [{a = [1, true, "1", 1.5]}]').drop

    assert list(map(repr, rule.conditions[0].one_of)) == ["1", "True", "'1'", "1.5"]


def test_rules_can_be_loaded_from_their_dump():
    assert FilterRules.model_validate(DEFAULT_RULE.model_dump()) == DEFAULT_RULE


def test_the_default_rule_is_described_in_one_line():
    assert describe(DEFAULT_RULE) == (
        "drops aws-service-reads (userIdentity.type is AWSService and readOnly is true and "
        "managementEvent is true and errorCode absent and eventSource is not sts.amazonaws.com or "
        "kms.amazonaws.com or secretsmanager.amazonaws.com or ssm.amazonaws.com)"
    )


def test_own_rules_are_described_in_one_line():
    mine = rules("""
        drop = [{a = 1, b = {present = true}}, {name = "noise", c = ["x*", "y\\n"]}]
        keep = [{d = {not = [true]}}, {e = 2}]
    """)

    assert describe(mine) == (
        "drops drop-1 (a is 1 and b present); drops noise (c is x* or 'y\\n'); "
        "drops records that are not (d is not true) or not (e is 2)"
    )
