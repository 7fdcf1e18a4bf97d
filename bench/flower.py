"""The CPU time of showing every object in Flower: ``python -m bench.flower``.

One control and one object worker, on a broker of their own, forward the same number of files from
stubs of SQS and S3, with ``flower_objects`` on and off in turns.  A real Flower runs in both.  The
figures are the CPU time (/proc) of each process while the files are forwarded; for Flower, until
it has received the last event.
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

from bench.log_files import log_file
from tests.support import servers, watched
from tests.support.announcements import BUCKET, own
from tests.support.fleet import until

WARM = 300  # objects forwarded before the measurement
TICK = os.sysconf("SC_CLK_TCK")
ENVIRONMENT = {
    "TRAILCOURIER_WORKERS__THREADS": "8",
    "TRAILCOURIER_WORKERS__LOG_LEVEL": "warning",
    "TRAILCOURIER_LINE__EXPERT__POLL": "20",
}


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that process *pid* has spent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure_run(objects: int, body: bytes, *, shown: bool) -> dict[str, float]:
    """Forward *objects* files; return the CPU milliseconds an object of each process."""
    environment = {**ENVIRONMENT, "TRAILCOURIER_WORKERS__FLOWER_OBJECTS": str(shown).lower()}
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.valkey() as server,
        watched.watching(Path(folder), server.url, **environment) as fleet,
    ):
        flower, worker, control, _ = (each.process.pid for each in fleet.fleet.started)
        pids = {"objects": worker, "control": control, "flower": flower}
        _forward(fleet, range(WARM), body, seen=WARM * shown)
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        _forward(fleet, range(WARM, WARM + objects), body, seen=(WARM + objects) * shown)
        return {
            name: (cpu_seconds(pid) - before[name]) / objects * 1000 for name, pid in pids.items()
        }


def _forward(fleet: watched.Watched, numbers: range, body: bytes, *, seen: int) -> None:
    """Announce each file in a message; wait until all are settled and Flower has *seen* so many."""
    for at in numbers:
        fleet.s3.put(BUCKET, watched.key(at), body)
    fleet.sqs.send("trail", *(own(watched.key(at)) for at in numbers))
    until(lambda: not fleet.sqs.messages("trail"), seconds=600)
    until(lambda: _succeeded(fleet) >= seen, seconds=600)


def _succeeded(fleet: watched.Watched) -> int:
    """Return how many forwards Flower has seen succeed."""
    _, text = fleet.page.ask("/metrics")
    ends = ("flower_events_total{", 'task="trailcourier.forward",type="task-succeeded"')
    lines = [line for line in text.splitlines() if all(end in line for end in ends)]
    return int(sum(float(line.rpartition(" ")[2]) for line in lines))


def main() -> None:
    """Measure, and print one JSON line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m bench.flower", description=main.__doc__)
    parser.add_argument("--objects", type=int, default=2000, help="objects in one run")
    parser.add_argument("--events", type=int, default=20, help="events in one file")
    parser.add_argument("--runs", type=int, default=5, help="runs of each kind, in turns")
    options = parser.parse_args()
    body = log_file(options.events)
    runs: dict[str, list[dict[str, float]]] = {"on": [], "off": []}
    for _ in range(options.runs):
        for kind, results in runs.items():
            results.append(measure_run(options.objects, body, shown=kind == "on"))
            print(kind, {name: round(value, 2) for name, value in results[-1].items()}, flush=True)
    for name in runs["on"][0]:
        for kind, results in runs.items():
            value = round(statistics.median(each[name] for each in results), 2)
            print(json.dumps({"figure": f"flower_{kind}_{name}", "value": value, "unit": "ms"}))


if __name__ == "__main__":
    main()
