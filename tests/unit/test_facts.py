"""What is said and what is counted are in step, and in step with the code."""

import ast
import re
from pathlib import Path

import pytest

from trailcourier.facts import FACTS
from trailcourier.metrics import METRICS
from trailcourier.sample import FLEET, GAUGES, STEPS

ROOT = Path(__file__).parents[2]
FREE = {"exc_info", "repeats_left_out"}  # structlog's own, and the limiter's


def said():
    """Each fact that is said by a plain name, with the names of its fields."""
    for package in ("trailcourier", "tasks", "beat"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "observe.fact":
                    name = node.args[0]
                    if isinstance(name, ast.Constant):
                        yield name.value, {each.arg for each in node.keywords if each.arg}


def test_a_fact_carries_the_fields_that_it_is_said_to():
    strays = {(name, *sorted(fields - {*FACTS[name].fields, *FREE})) for name, fields in said()}

    assert {each for each in strays if len(each) > 1} == set()


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_has_what_its_counter_and_its_limit_ask_of_it(name):
    fact = FACTS[name]

    assert set(fact.alike or ()) <= set(fact.fields)
    for count in fact.counts:
        assert METRICS[count.metric].kind == "counter"
        assert {*METRICS[count.metric].labels} <= {*fact.fields, *count.fixed}
        assert {*filter(None, [count.by]), *count.only} <= {*fact.fields}


@pytest.mark.parametrize("name", [name for name in METRICS if METRICS[name].kind == "counter"])
def test_a_counter_is_counted_by_somebody(name):
    by_facts = {count.metric for fact in FACTS.values() for count in fact.counts}
    code = (ROOT / "trailcourier/ledger/sums.py").read_text()

    assert name in by_facts or f'"{name}"' in code


@pytest.mark.parametrize("name", [name for name in METRICS if METRICS[name].kind == "histogram"])
def test_a_histogram_is_measured_somewhere(name):
    code = "".join(path.read_text() for path in (ROOT / "trailcourier/line").rglob("*.py"))

    assert re.search(rf'(measured|timed)\(\s*"{name}"', code)


def test_every_gauge_has_values():
    assert {name for name, metric in METRICS.items() if metric.kind == "gauge"} == {
        *GAUGES,
        *STEPS,
        *FLEET,
    }


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_named_as_prometheus_would_have_it(name):
    metric = METRICS[name]

    assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", name)
    assert name.endswith("_total") == (metric.kind == "counter")
    assert metric.kind != "histogram" or name.endswith("_seconds")
