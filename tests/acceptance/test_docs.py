"""``docs/render.py``: pages that come from the code, and whether they still say what it says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from tests.support.programs import found
from trailcourier.ledger.traces import LineStep
from trailcourier.models import Numbers
from trailcourier.observability.metrics import METRICS
from trailcourier.operations import standstill
from trailcourier.reasons import REASONS
from trailcourier.worker.role import SAMPLE_INTERVAL

ROOT = Path(__file__).parents[2]
PACKAGES = ("beat", "tasks", "trailcourier")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")])
page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


@pytest.fixture
def docs(tmp_path):
    shutil.copy(ROOT / "docs/render.py", tmp_path)
    return tmp_path


def render(docs, *arguments):
    return subprocess.run(
        [sys.executable, docs / "render.py", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_was_just_written_is_in_step(docs):
    written = render(docs)
    checked = render(docs, "--check")

    assert written.returncode == 0, written.stderr
    assert (checked.returncode, checked.stdout) == (0, "")


def test_a_missing_and_a_changed_page_are_named_with_what_to_do(docs):
    render(docs)
    (docs / "settings.md").unlink()
    (docs / "commands.md").write_text("by hand\n")

    checked = render(docs, "--check")

    assert checked.returncode == 1
    assert "docs/settings.md is out of step with the code: make docs" in checked.stdout
    assert "docs/commands.md is out of step with the code: make docs" in checked.stdout
    assert "dispositions.md" not in checked.stdout
    assert (docs / "commands.md").read_text() == "by hand\n"


def test_every_row_of_a_table_has_its_columns(docs):
    render(docs)

    rows = (docs / "dispositions.md").read_text().split("\n| `")[1:]
    columns = [row.split("\n")[0].replace("\\|", "").count("|") for row in rows]

    assert columns == [6] * len(REASONS)


def anchors(path):
    """What the headings of a page can be linked as, on the usual hosts of Markdown."""
    heads = re.findall(r"(?m)^#+ +(.*)$", path.read_text())
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def links(path):
    text = re.sub(r"(?s)```.*?```", "", path.read_text())
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


@page
def test_a_link_leads_somewhere(page):
    astray = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            astray.append(link)

    assert astray == []


PLACES = ("beat", "bench", "changelog.d", "deploy", "docs", "tasks", "tests", "trailcourier")
FILES = {
    str(path.relative_to(ROOT)) + "/" * path.is_dir()
    for place in PLACES
    for path in (ROOT / place).rglob("*")
    if "__pycache__" not in path.parts
} | {f"{place}/" for place in PLACES}


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/code.md"])
def test_a_module_that_a_developer_is_sent_to_is_there(name):
    text = re.sub(r"(?s)```.*?```", "", (ROOT / name).read_text())
    named = re.findall(r"`([\w./]*[a-z_]\w*(?:\.py|/))`", text)

    assert named
    assert [each for each in named if not any(f"/{x}".endswith(f"/{each}") for x in FILES)] == []


def test_the_map_of_the_code_has_every_module():
    text = (ROOT / "docs/code.md").read_text()
    modules = [
        *(f"{file.name}/" for file in (ROOT / "trailcourier").iterdir() if file.is_dir()),
        *(file.name for place in PACKAGES for file in (ROOT / place).glob("*.py")),
    ]

    unnamed = {name for name in modules if name not in text}
    assert unnamed - {"__init__.py", "__pycache__/"} == set()


@page
def test_a_metric_that_a_page_names_is_one(page):
    named = re.findall(r"\btrailcourier_(\w+?)(?:_bucket|_sum|_count)?\b", page.read_text())

    assert {name for name in named if name not in METRICS} == set()


def test_the_alerts_are_about_metrics_that_exist_and_the_operators_page_has_them_all():
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text()
    manual = (ROOT / "docs/operations.md").read_text()

    assert set(re.findall(r"\btrailcourier_(\w+)", rules)) <= set(METRICS)
    assert [name for name in re.findall(r"alert: (\w+)", rules) if f"`{name}`" not in manual] == []


@pytest.mark.parametrize(
    ("breaker", "alert"),
    [
        ("sink:archive", "TrailcourierHeldUp"),
        ("bucket:prod:acme/111122223333", "TrailcourierHeldUp"),
        ("queue:prod", "TrailcourierHeldUp"),
        ("sink:archive@host-b", "TrailcourierHostUnfit"),
    ],
)
def test_an_open_breaker_has_one_alert_which_tells_a_hosts_own_apart(breaker, alert):
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text()
    matchers = re.findall(
        r'alert: (\w+)\n +expr: .*trailcourier_breaker_open\{breaker(=~|!~)"(.*?)"\}', rules
    )

    assert len(matchers) == rules.count("trailcourier_breaker_open")
    assert [
        name
        for name, operator, pattern in matchers
        if bool(re.fullmatch(pattern, breaker)) == (operator == "=~")
    ] == [alert]


def test_whatever_stands_still_has_an_alert_and_two_configurations_a_case_of_it():
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text()
    cases = (ROOT / "deploy/prometheus/alerts_test.yml").read_text()

    (left_out,) = re.findall(r'trailcourier_standstill\{kind!="([\w-]+)"\}', rules)

    assert left_out == "no-object-worker"
    assert "trailcourier_object_threads) == 0" in rules  # which tells that one
    assert left_out in get_args(standstill.Kind)
    for kind in re.findall(r'trailcourier_standstill\{[^}]*kind="([\w-]+)"', cases):
        assert kind in get_args(standstill.Kind)
    assert 'summary: "prod stands still: two-configurations"' in cases


@pytest.mark.parametrize("step", get_args(LineStep))
def test_a_step_that_stands_still_is_alerted_within_three_minutes(step):
    """From the last trace: the silence, the next sample, its scrape, and the alert's own wait."""
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text()
    (waits,) = re.findall(r"alert: TrailcourierStandsStill\n.*\n +for: (\d)m\n", rules)
    scrape = 15

    silence = standstill.allowed_silence(step, Numbers())

    assert silence <= 60
    assert silence + SAMPLE_INTERVAL + scrape + 60 * int(waits) <= 180


def test_the_alerts_pass_their_tests():
    promtool = found("promtool", "prometheus")
    folder = ROOT / "deploy/prometheus"

    for command in ("check", "test"):
        file = "alerts.yml" if command == "check" else "alerts_test.yml"
        done = subprocess.run(
            [promtool, command, "rules", file],
            cwd=folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
