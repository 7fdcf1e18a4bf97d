"""``make bench`` in its quick way: the whole of it, on little."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import processes, programs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
RATIOS = ["hotpath_200_vs_plain", "hotpath_5000_vs_plain", "line_cpu_vs_bare_20"]
RATIOS += ["line_cpu_vs_bare_200", "line_cpu_vs_bare_2000"]
LINE = [
    "line_beyond_bare_in_empty_tasks_20",
    "line_objects_per_s_20",
    "line_events_per_s_200",
    "line_cpu_ms_per_object_20",
]
LINE += ["line_vs_stock_celery_20", "two_workers_vs_one", "latency_p50_s", "latency_p99_s"]


def left():
    """Processes that have a folder of the bench on their command line or in their environment."""
    return [line for line in processes.all_of_them() if f"{ROOT}/.bench-" in line]


def test_a_quick_run_ends_with_every_figure_and_leaves_nothing(tmp_path):
    programs.found("nginx", "nginx-light")

    ended = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--into", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    figures = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    assert [each["figure"] for each in figures] == [*RATIOS, *LINE, "rss_growth_mib"]
    assert all(each["value"] > 0 for each in figures[:-1])
    assert "| line | 20 |" in (tmp_path / "results.md").read_text()
    assert (tmp_path / "results.png").stat().st_size > 10_000
    assert left() == []
    assert list(ROOT.glob(".bench-*")) == []
