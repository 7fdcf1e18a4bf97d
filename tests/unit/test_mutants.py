"""The mutants stay in step with the code they change and the tests they name."""

import importlib.util
import re
from pathlib import Path

import pytest

from tests.simulation import put_back
from tests.support.servers import valkey
from trailcourier.ledger import broker

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("mutants", ROOT / "tests/mutants/run.py")
run = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run)

MUTANTS = [pytest.param(mutant, id=mutant.name) for mutant in run.mutants()]
PUT_BACK = [
    pytest.param(put_back.load(path), id=path.stem)
    for path in sorted(put_back.HERE.glob("*.patch"))
]


@pytest.fixture(scope="module")
def server():
    with valkey() as running, broker.connect(running.url) as client:
        yield client


@pytest.mark.parametrize("mutant", [*MUTANTS, *PUT_BACK])
def test_a_patch_still_applies_and_leaves_code(mutant, tmp_path, server):
    for hunk in mutant.hunks:
        (tmp_path / hunk.file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / hunk.file).write_text((ROOT / hunk.file).read_text())

    run.apply(mutant, tmp_path)

    assert any(
        (tmp_path / hunk.file).read_text() != (ROOT / hunk.file).read_text()
        for hunk in mutant.hunks
    )
    for hunk in mutant.hunks:
        text = (tmp_path / hunk.file).read_text()
        if hunk.file.endswith(".lua"):
            server.script_load(text)
        else:
            compile(text, hunk.file, "exec")


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_names_tests_that_exist(mutant):
    assert mutant.killers
    for killer in mutant.killers:
        file, _, test = killer.partition("::")
        assert re.search(rf"^def {test}\(", (ROOT / file).read_text(), re.MULTILINE), killer


def test_every_promise_has_a_mutant():
    assert {mutant.promise for mutant in run.mutants()} == set(range(1, 11))


@pytest.mark.parametrize(
    ("diff", "text", "changed"),
    [
        pytest.param("@@\n a\n-b\n+B\n c\n", "a\nb\nc\n", "a\nB\nc\n", id="changed"),
        pytest.param("@@ -9,2 +9,3 @@\n a\n+b\n c\n", "x\na\nc\n", "x\na\nb\nc\n", id="moved"),
        pytest.param("@@\n a\n-b\n@@\n d\n+e\n", "a\nb\nc\nd\n", "a\nc\nd\ne\n", id="two hunks"),
    ],
)
def test_a_patch_is_applied_where_its_context_stands(tmp_path, diff, text, changed):
    (tmp_path / "f.py").write_text(text)
    hunks = run.hunks(f"--- a/f.py\n+++ b/f.py\n{diff}")

    run.apply(run.Mutant("m", 1, "", (), tuple(hunks)), tmp_path)

    assert (tmp_path / "f.py").read_text() == changed


@pytest.mark.parametrize("text", ["a\nc\n", "a\nb\na\nb\n"], ids=["gone", "twice"])
def test_a_patch_whose_context_is_not_there_once_is_stale(tmp_path, text):
    (tmp_path / "f.py").write_text(text)
    hunks = run.hunks("--- a/f.py\n+++ b/f.py\n@@\n a\n-b\n")

    with pytest.raises(run.Stale, match=r"f\.py"):
        run.apply(run.Mutant("m", 1, "", (), tuple(hunks)), tmp_path)
