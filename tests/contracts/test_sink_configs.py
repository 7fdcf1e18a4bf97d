"""The contract of every sink's configuration."""

import json
import re
from pathlib import Path
from typing import Annotated, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from tests.contracts.ends import ENDS, TOKEN
from trailcourier import sinks
from trailcourier.secret import Secret
from trailcourier.sinks import insightidr
from trailcourier.sinks.file import File
from trailcourier.sinks.stdout import Stdout

ROOT = Path(__file__).parents[2]
SECRET = Secret("env:TOKEN", {"TOKEN": TOKEN})
EXAMPLES: dict[type[BaseModel], dict[str, object]] = {
    File: {"type": "file", "path": "events"},
    insightidr.Collector: {
        "type": "insightidr", "way": "collector", "host": "logs.example.com", "port": 6514,
    },
    insightidr.TokenTcp: {
        "type": "insightidr", "way": "token", "region": "eu", "token": SECRET,
    },
    insightidr.Webhook: {
        "type": "insightidr", "way": "webhook", "region": "eu", "token": SECRET,
    },
    Stdout: {"type": "stdout"},
}  # fmt: skip
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
def test_a_network_sink_names_its_peers(config):
    made = config.model_validate(EXAMPLES[config])
    local = {File, Stdout}

    peers = made.peers()

    assert bool(peers) != (config in local)
    assert all(peer.host and 0 < peer.port < 65_536 for peer in peers)
    assert TOKEN not in str(peers)


@each
def test_a_sink_has_a_page_that_names_every_setting_with_its_default(config):
    page = (ROOT / "docs/sinks" / f"{EXAMPLES[config]['type']}.md").read_text()
    if way := EXAMPLES[config].get("way"):
        page = re.split(r"(?m)^##+ ", page.partition(f'### `way = "{way}"`')[2])[0]
    named = dict(re.findall(r"(?m)^\| `(\w+)` \| (.+?) \|", page))

    settings = {name for name in config.model_fields if name not in {"type", "way"}}
    assert set(named) == settings
    for name in settings:
        field = config.model_fields[name]
        default = "required" if field.is_required() else f"`{json.dumps(field.default)}`"
        assert named[name] == default, name


def test_every_sink_of_the_union_is_in_both_suites():
    assert set(members(sinks.SinkConfig)) == set(EXAMPLES)
    kinds = {example["type"] for example in EXAMPLES.values()}
    assert kinds <= {name.partition("-")[0] for name in ENDS}


def members(union):
    """Yield the members of a union, which may be unions too."""
    if get_origin(union) is Annotated:
        yield from members(get_args(union)[0])
    elif get_args(union):
        for each in get_args(union):
            yield from members(each)
    else:
        yield union
