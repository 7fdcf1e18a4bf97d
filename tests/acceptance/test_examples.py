"""What a reader copies, and what it is told in numbers: README, the pages and deploy/."""

import json
import re
import textwrap
from pathlib import Path

import pytest

from trailcourier import cli
from trailcourier.models import Numbers
from trailcourier.operations import expiry
from trailcourier.provision.resources.queue import RECEIVES

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"^( *)```toml\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FURTHER = re.compile(r"^# (?=\[|\w+ = )", re.MULTILINE)  # a setting that is commented out
WITH_AN_EXAMPLE = ("README.md", "docs/getting-started.md", "docs/setup.md")
IN_WORDS = {5: "five", 10: "ten", 12: "twelve"}
DAY, HOUR = 86_400, 3600


def examples(page):
    """The configurations of *page* that are whole: others show a table or two."""
    found = [textwrap.dedent(body) for _, body in FENCED.findall((ROOT / page).read_text())]
    return [each for each in found if "queue_url" in each and "[sinks." in each]


def shipped():
    files = sorted((ROOT / "deploy").rglob("*.toml"))
    for text, name in ((file.read_text(), str(file.relative_to(ROOT))) for file in files):
        yield pytest.param(text, id=name)
        if FURTHER.search(text):
            yield pytest.param(FURTHER.sub("", text), id=f"{name}, all of it")


@pytest.mark.parametrize(
    "text",
    [
        *(pytest.param(text, id=page) for page in WITH_AN_EXAMPLE for text in examples(page)),
        *shipped(),
    ],
)
def test_a_configuration_to_copy_has_nothing_to_warn_of(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROD_ACCESS_KEY_ID", "AKIAEXAMPLE")
    for name in re.findall(r"file:/run/secrets/([\w-]+)", text):
        Path(name).write_text("example-secret")
    Path("trailcourier.toml").write_text(text.replace("file:/run/secrets/", f"file:{tmp_path}/"))

    code = cli.execute(["check", "--json"])

    output = json.loads(capsys.readouterr().out)
    assert (code, output["problems"], output["warnings"]) == (0, [], [])


@pytest.mark.parametrize("page", WITH_AN_EXAMPLE)
def test_a_page_that_is_to_have_a_configuration_has_one(page):
    assert len(examples(page)) == 1


def test_how_long_an_outage_may_last_is_what_the_numbers_say():
    numbers = Numbers()
    days = numbers.lease_life * RECEIVES / DAY
    hours = numbers.visibility_degraded * RECEIVES / HOUR
    held = IN_WORDS[numbers.lease_life / HOUR]
    pages = {
        page: " ".join((ROOT / f"docs/{page}.md").read_text().split())
        for page in ("promises", "getting-started", "operations", "setup")
    }

    assert numbers.lease_life == expiry.HOLD
    promises, start, operations, setup = pages.values()
    assert f"an outage of up to {IN_WORDS[days]} days loses nothing" in promises
    assert f"An outage may last {IN_WORDS[days]} days with" in start
    assert f"a `maxReceiveCount` of {RECEIVES} " in start
    assert f"an outage may last only {IN_WORDS[hours]} hours" in start
    assert f"times {held} hours: with {RECEIVES}, after {IN_WORDS[days]} days" in operations
    assert f"and {RECEIVES} receives last {IN_WORDS[hours]} hours" in operations
    assert f"received {RECEIVES} times go to the other" in setup
    assert f"one receive in {held} hours, so {IN_WORDS[RECEIVES]} receives are" in setup
