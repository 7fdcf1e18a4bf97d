"""One table says what becomes of what fails, and everything that fails is in it."""

import ast
from pathlib import Path

import pytest

import trailcourier
from trailcourier import dispositions, drain
from trailcourier.aws import faults
from trailcourier.dispositions import REASONS
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
    """Every reason that is written where a fault or an outcome is made, with its place."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (at := NAMING.get(_name(node.func))) is not None:
                for reason in _texts(node.args[at : at + 1]):
                    yield pytest.param(reason, id=f"{path.name}:{node.lineno}:{reason}")


def _name(node):
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _texts(nodes):
    """The literals among *nodes*, in either arm of an ``a if b else c`` too."""
    for node in nodes:
        if isinstance(node, ast.IfExp):
            yield from _texts([node.body, node.orelse])
        elif isinstance(node, ast.Constant) and node.value:
            yield node.value


@pytest.mark.parametrize("reason", list(called()))
def test_what_is_raised_or_ended_with_is_in_the_table(reason):
    assert reason in REASONS


@pytest.mark.parametrize(
    "translated",
    [
        {*faults._CODES, *faults._OF_QUEUES.values(), *(name for name, _ in faults._CLASSES)},
        {"s3-error", "queue-error", "clock-skew"},
        set(endpoint.REASONS.values()),
        set(of_files._REASONS.values()),
        faults.OF_KEYS,
        drain.HOPELESS,
    ],
    ids=["aws", "aws-else", "http", "files", "keys", "hopeless"],
)
def test_what_a_foreign_error_is_translated_to_is_in_the_table(translated):
    assert translated <= REASONS.keys()


def test_nothing_is_in_the_table_that_does_not_happen():
    written = {
        node.value.rpartition(":")[2]  # as in "refused:bucket-not-allowed"
        for path, tree in TREES.items()
        if path != Path(dispositions.__file__)
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
    """What a person is told to do about a fault of the line stands in one table."""
    advised = {
        path.relative_to(ROOT).as_posix()
        for path, tree in TREES.items()
        if path.is_relative_to(ROOT)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _name(node.func) == "Reason"
    }

    assert advised == {"dispositions.py", "reasons.py"}  # which that one takes into its table
