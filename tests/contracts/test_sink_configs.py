"""What the configuration of every sink promises."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from tests.contracts.ends import ENDS
from trailcourier import sinks

ROOT = Path(__file__).parents[2]
EXAMPLES: dict[type[BaseModel], dict[str, object]] = {
    sinks.File: {"type": "file", "path": "events"},
    sinks.Stdout: {"type": "stdout"},
}
each = pytest.mark.parametrize("config", EXAMPLES, ids=lambda config: config.__name__)


@each
def test_an_unknown_setting_is_an_error(config):
    with pytest.raises(ValidationError, match="Extra inputs"):
        config.model_validate({**EXAMPLES[config], "colour": "blue"})


@each
def test_a_config_is_a_value(config):
    one, other = (config.model_validate(EXAMPLES[config]) for _ in range(2))

    assert one == other
    assert hash(one) == hash(other)


@each
def test_a_sink_has_a_page_that_names_every_setting_with_its_default(config):
    page = (ROOT / "docs/sinks" / f"{EXAMPLES[config]['type']}.md").read_text()
    named = dict(re.findall(r"(?m)^\| `(\w+)` \| (.+?) \|", page))

    settings = {name for name in config.model_fields if name != "type"}
    assert set(named) == settings
    for name in settings:
        field = config.model_fields[name]
        told = "required" if field.is_required() else f"`{json.dumps(field.default)}`"
        assert named[name] == told, name


def test_every_sink_of_the_union_is_in_both_suites():
    union, _ = get_args(sinks.SinkConfig)

    assert set(get_args(union)) == set(EXAMPLES)
    kinds = {example["type"] for example in EXAMPLES.values()}
    assert kinds <= {name.partition("-")[0] for name in ENDS}
