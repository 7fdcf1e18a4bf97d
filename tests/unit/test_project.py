"""The project's habits, held."""

import ast
import re
import tokenize
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import trailcourier

ROOT = Path(__file__).parents[2]
PACKAGES = ("trailcourier", "tasks", "beat")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENCODING, tokenize.ENDMARKER,
}  # fmt: skip

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
LOCKS_WITH_ADDRESSES = {
    "uv.lock", "pylock.toml", "poetry.lock", "pdm.lock", "Pipfile.lock",
    "package-lock.json", "yarn.lock", "pnpm-lock.yaml",
}  # fmt: skip
NOT_OURS = {".git", ".venv", "node_modules"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def lines_of_code(path: Path) -> int:
    """Count the lines that hold code: an explanation should cost nothing."""
    with path.open("rb") as file:
        tokens = [x for x in tokenize.tokenize(file.readline) if x.type not in NO_CODE]
    docstrings = {
        line
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and ast.get_docstring(node, clean=False) is not None
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    return len({n for x in tokens for n in range(x.start[0], x.end[0] + 1)} - docstrings)


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", [pytest.param(path, id=name(path)) for path in paths])


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return [x for x in ast.walk(tree) if isinstance(x, ast.FunctionDef | ast.AsyncFunctionDef)]


@each(MODULES)
def test_a_module_fits_on_300_lines(path):
    assert lines(path) <= 300


@each(MODULES)
def test_a_function_fits_on_40_lines(path):
    long = [x.name for x in functions(path) if x.end_lineno - x.lineno + 1 > 40]

    assert long == []


@each(MODULES)
def test_nothing_is_left_to_do(path):
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", path.read_text())


@each([path for path in MODULES if path != ROOT / "trailcourier/settings/environment.py"])
def test_one_module_reads_the_environment(path):
    assert not re.search(r"os\.environ|getenv", path.read_text())


@each(MODULES)
def test_a_module_is_named_for_what_it_is(path):
    words = set(path.stem.split("_"))

    assert not words & {"utils", "util", "helpers", "common", "manager", "base", "handler"}


def test_no_class_name_exists_twice():
    found = Counter(
        node.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )

    assert [each for each, times in found.items() if times > 1] == []


# what a module is called in several packages, each of which says whose it is
SHARED = frozenset({
    "__init__", "broker", "bucket", "celery", "config", "configuration", "events", "faults",
    "flower", "health", "identity", "parked", "policies", "quarantine", "queue", "reader", "run",
    "status", "ticks", "topic", "traffic", "trail", "doctor", "drain", "redrive",
})  # fmt: skip


def test_no_module_name_exists_twice_but_where_its_package_says_whose_it_is():
    found = Counter(path.stem for path in MODULES)

    assert [each for each, times in found.items() if times > 1 and each not in SHARED] == []


@pytest.mark.parametrize(
    ("package", "limit"),
    [pytest.param("tasks", 1030, id="workers"), pytest.param("beat", 60, id="clock")],
)
def test_what_knows_celery_stays_thin(package, limit):
    assert sum(lines_of_code(path) for path in (ROOT / package).rglob("*.py")) < limit


def test_the_version_is_the_same_wherever_it_stands():
    assert PROJECT["project"]["version"] == trailcourier.__version__


@each(LOCKS)
def test_a_lock_names_packages_and_not_where_to_get_them(path):
    text = path.read_text()

    assert "://" not in text
    assert not re.search(r"(?m)^\s*(-i|-f|--index|--extra-index|--find-links|--trusted-host)", text)


@each(LOCKS)
def test_every_locked_package_has_hashes(path):
    packages = re.split(r"(?m)^(?=\S)", path.read_text())[1:]

    assert packages
    assert [x for x in packages if not re.match(r"[\w.-]+==\S+ .*\\\n +--hash=sha256:", x)] == []


def test_the_run_lock_and_the_dev_lock_agree():
    run, dev = (
        set(re.findall(r"(?m)^[\w.-]+==\S+", (ROOT / "requirements" / lock).read_text()))
        for lock in ("run.txt", "dev.txt")
    )

    assert run
    assert run <= dev


def test_no_lock_records_download_addresses():
    found = [
        name(path)
        for folder in (ROOT, *(x for x in ROOT.iterdir() if x.is_dir() and x.name not in NOT_OURS))
        for path in (folder.iterdir() if folder == ROOT else folder.rglob("*"))
        if path.name in LOCKS_WITH_ADDRESSES
    ]

    assert found == []


def test_a_changelog_fragment_is_named_by_slug_and_kind():
    kinds = "|".join(kind["directory"] for kind in PROJECT["tool"]["towncrier"]["type"])
    names = [path.name for path in (ROOT / "changelog.d").glob("[!.]*")]

    assert [x for x in names if not re.fullmatch(rf"[a-z][a-z0-9-]*\.({kinds})\.md", x)] == []


def test_a_decision_is_numbered_and_has_its_three_parts():
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))

    assert [page.name[:3] for page in pages] == [f"{number:03}" for number in range(len(pages))]
    for page in pages[1:]:
        assert re.findall(r"(?m)^## (.*)", page.read_text()) == ["Context", "Decision", "Price"]


# the rows of docs/manual-checklist.md
MANUAL = (
    *("01", "02", "03", "04"),  # what it is for
    *("10", "11", "12", "13", "14"),  # CloudTrail everywhere
    *("20", "21", "22", "23", "24", "25"),  # the trail
    *("30", "31"),  # the queue and its subscription
    *("40", "41", "42", "43"),  # permissions
    *("50", "51", "52", "53", "54", "55", "55a", "56", "57", "58"),  # the form
    *("60", "61"),  # no logs, and the 301
)


def test_every_row_of_the_manual_is_in_the_checklist_with_tests_that_exist():
    text = (ROOT / "docs/manual-checklist.md").read_text()
    rows = re.findall(r"^\| (\d\d[a-z]?) \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)

    assert [row for row, _, _ in rows] == list(MANUAL)
    for row, _, tests in rows:
        named = re.findall(r"`([^`]+)::(\w+)`", tests)
        assert named, row
        for path, name in named:
            assert name in {each.name for each in functions(ROOT / path)}, (row, path, name)
