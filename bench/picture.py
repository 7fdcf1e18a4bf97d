"""The picture of the measurements: ``bench/results.png``."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.figures import median_of
from bench.latency import percentile
from bench.measurements import SIZES, Measurements
from bench.report import ROLES, role_cpu

INK, BARE, LINE, STOCK = "#222222", "#9aa5b1", "#1f6f8b", "#c8793a"
PARTS = {"objects": LINE, "control": "#5fa8bf", "beat": "#b5d8e3"}


def draw(measured: Measurements, path: Path) -> None:
    """Draw CPU time, its parts and latency, side by side."""
    mpl.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    cpu, parts, latency = figure.subplots(1, 3)
    _cpu(cpu, measured)
    _parts(parts, measured)
    _latency(latency, measured.latencies)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _cpu(axes: Axes, measured: Measurements) -> None:
    """Draw bare loop and line by file size; a thin line spans the rounds."""
    for shift, (name, label, colour) in enumerate(
        (("bare", "bare loop", BARE), ("line", "line", LINE))
    ):
        for at, events in enumerate(SIZES):
            turns = measured.turns[f"{name} {events}"]
            value, every = median_of(turns, lambda t: t.ms), [t.ms for t in turns]
            error = [[value - min(every)], [max(every) - value]]
            axes.bar(
                at + (shift - 0.5) * 0.38, value, 0.36, color=colour, yerr=error, ecolor=INK,
                error_kw={"lw": 0.8}, label=label if at == 0 else None,
            )  # fmt: skip
            axes.annotate(
                f"{value:.1f}", (at + (shift - 0.5) * 0.38, max(every)), (0, 3),
                textcoords="offset points", ha="center",
            )  # fmt: skip
    axes.set_xticks(range(len(SIZES)), [f"{events:,}" for events in SIZES])
    axes.set(title="CPU time of one object", xlabel="events in a file", ylabel="ms")
    axes.legend(frameon=False)


def _parts(axes: Axes, measured: Measurements) -> None:
    """Draw the CPU time of each process, for files of 20 events."""
    rows = {
        "bare": "bare loop", "line": "line", "few": "line, small\nreceives",
        "events": "line,\nevents on", "stock": "on Celery's\nclasses",
    }  # fmt: skip
    for at, name in enumerate(rows):
        turns, left = measured.turns[f"{name} 20"], 0.0
        pieces = {"bare": BARE} if name == "bare" else PARTS
        for role, colour in pieces.items():
            value = median_of(turns, role_cpu(role))
            label = ROLES[role] if name == "line" else None
            axes.barh(at, value, 0.6, left=left, color=colour, label=label)
            left += value
        axes.annotate(f"{left:.1f}", (left, at), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(rows)), rows.values())
    axes.invert_yaxis()
    axes.set(title="of which process, 20 events", xlabel="ms")
    axes.legend(frameon=False, loc="upper right")


def _latency(axes: Axes, waits: Sequence[float]) -> None:
    """Draw how many files are on the disk after so many seconds."""
    ascending = list(waits)
    shares = [100 * (at + 1) / len(ascending) for at in range(len(ascending))]
    axes.step([0, *ascending], [0, *shares], color=LINE, where="post")
    for some in (0.5, 0.99):
        at = percentile(ascending, some)
        axes.plot(at, some * 100, "o", color=LINE)
        axes.annotate(
            f"{some:.0%}: {at:.2f} s", (at, some * 100), (6, -10), textcoords="offset points"
        )
    axes.set(title="from message sent to file on disk", xlabel="s", ylabel="% of files")
    axes.set_xlim(0, percentile(ascending, 0.99) * 1.6)
    axes.set_ylim(0, 103)
