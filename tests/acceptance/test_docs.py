"""``docs/render.py``: pages that come from the code, and whether they still say what it says."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trailcourier.dispositions import REASONS

ROOT = Path(__file__).parents[2]


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
