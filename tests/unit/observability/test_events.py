"""The tables of events and metrics agree with each other and with the code."""

import ast
import re
from pathlib import Path

import pytest

from trailcourier.observability.events import EVENTS
from trailcourier.observability.metrics import METRICS
from trailcourier.worker.gauges import FLEET, GAUGES, STEPS

ROOT = Path(__file__).parents[3]
FREE = {"exc_info", "repeats_left_out"}  # structlog's own, and the limiter's


def emitted():
    """Every event emitted by a literal name, with the names of its fields."""
    for package in ("trailcourier", "tasks", "beat"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "observe.fact":
                    name = node.args[0]
                    if isinstance(name, ast.Constant):
                        yield name.value, {each.arg for each in node.keywords if each.arg}


def test_every_event_is_emitted_with_its_fields():
    strays = {(name, *sorted(fields - {*EVENTS[name].fields, *FREE})) for name, fields in emitted()}

    assert {each for each in strays if len(each) > 1} == set()


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_has_the_fields_of_its_counters_and_its_limit(name):
    fact = EVENTS[name]

    assert set(fact.alike or ()) <= set(fact.fields)
    for count in fact.counts:
        assert METRICS[count.metric].kind == "counter"
        assert {*METRICS[count.metric].labels} <= {*fact.fields, *count.fixed}
        assert {*filter(None, [count.by]), *count.only} <= {*fact.fields}


@pytest.mark.parametrize("name", [name for name in METRICS if METRICS[name].kind == "counter"])
def test_every_counter_is_counted_somewhere(name):
    by_facts = {count.metric for fact in EVENTS.values() for count in fact.counts}
    code = (ROOT / "trailcourier/ledger/sums.py").read_text()

    assert name in by_facts or f'"{name}"' in code


@pytest.mark.parametrize("name", [name for name in METRICS if METRICS[name].kind == "histogram"])
def test_every_histogram_is_observed_somewhere(name):
    code = "".join(path.read_text() for path in (ROOT / "trailcourier/line").rglob("*.py"))

    assert re.search(rf'(observe|timed)\(\s*"{name}"', code)


def test_every_gauge_has_values():
    assert {name for name, metric in METRICS.items() if metric.kind == "gauge"} == {
        *GAUGES,
        *STEPS,
        *FLEET,
    }


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_name_follows_the_conventions_of_prometheus(name):
    metric = METRICS[name]

    assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", name)
    assert name.endswith("_total") == (metric.kind == "counter")
    assert metric.kind != "histogram" or name.endswith("_seconds")
