"""One table says what follows from each fault, and every fault is in it."""

import ast
from pathlib import Path
from typing import get_args

import pytest

import trailcourier
from trailcourier.aws import faults
from trailcourier.operations import drain
from trailcourier.reason_names import ReasonName
from trailcourier.reasons import REASONS
from trailcourier.sinks import endpoint
from trailcourier.sinks import faults as of_files

ROOT = Path(trailcourier.__file__).parent
TREES = {
    path: ast.parse(path.read_text())
    for package in (ROOT, ROOT.parent / "tasks", ROOT.parent / "beat")
    for path in sorted(package.rglob("*.py"))
}
NAMING = {"Fault": 0, "Outcome": 1, "NotAllowed": 0}  # which argument is a reason


def called():
    """Yield every reason that code gives to a fault or an outcome, with its place."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (at := NAMING.get(_name(node.func))) is not None:
                for reason in _texts(node.args[at : at + 1]):
                    yield pytest.param(reason, id=f"{path.name}:{node.lineno}:{reason}")


def _name(node):
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _texts(nodes):
    """Yield the literals among *nodes*, in both arms of ``a if b else c`` too."""
    for node in nodes:
        if isinstance(node, ast.IfExp):
            yield from _texts([node.body, node.orelse])
        elif isinstance(node, ast.Constant) and node.value:
            yield node.value


@pytest.mark.parametrize("reason", list(called()))
def test_every_raised_reason_is_in_the_table(reason):
    assert reason in REASONS


@pytest.mark.parametrize(
    "translated",
    [
        {
            *faults._CODES,
            *faults._QUEUE_REASONS.values(),
            *(name for name, _ in faults._REASON_OF_CLASS),
        },
        {"s3-error", "queue-error", "clock-skew"},
        set(endpoint.REASONS.values()),
        set(of_files._REASONS.values()),
        faults.CREDENTIAL_REASONS,
        drain.HOPELESS,
    ],
    ids=["aws", "aws-else", "http", "files", "keys", "hopeless"],
)
def test_every_translated_error_has_a_reason_in_the_table(translated):
    assert translated <= REASONS.keys()


def test_the_type_of_a_reason_has_the_names_of_the_table():
    """So mypy rejects a Fault with a reason that is not in the table."""
    assert get_args(ReasonName) == tuple(REASONS)


def test_every_reason_in_the_table_is_used():
    tables = {ROOT / name for name in ("reasons.py", "sink_reasons.py", "reason_names.py")}
    written = {
        node.value.rpartition(":")[2]  # as in "refused:bucket-not-allowed"
        for path, tree in TREES.items()
        if path not in tables
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert REASONS.keys() - written == set()


@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS)
def test_each_entry_says_what_happened_and_what_to_do(reason):
    assert reason.text.endswith(".")
    assert reason.advice.endswith((".", "`"))
    assert (reason.breaker == "") or reason.status == "parked"


def test_no_other_table_gives_advice():
    """Advice for a fault of the line is in one table only."""
    advised = {
        path.relative_to(ROOT).as_posix()
        for path, tree in TREES.items()
        if path.is_relative_to(ROOT)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _name(node.func) == "Reason"
    }

    assert advised == {"reasons.py", "sink_reasons.py"}  # whose reasons the table includes
