"""What it costs to show every object in Flower: ``python -m bench.flower``.

The same number of files is carried with ``flower_objects`` on and off, in turns, by one control and
one objects worker on a broker of their own, from stubs of SQS and S3; a real Flower watches in
both.  Counted is the processor time, from /proc, that each process spends while they are carried,
and Flower until it has seen the last.
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

from bench.events import log_file
from tests import servers, watched
from tests.announcements import BUCKET, own
from tests.fleet import until

WARM = 300  # objects carried before anything is counted
TICK = os.sysconf("SC_CLK_TCK")
AROUND = {
    "TRAILCOURIER_WORKERS__THREADS": "8",
    "TRAILCOURIER_WORKERS__LOG_LEVEL": "warning",
    "TRAILCOURIER_LINE__POLL": "20",
}


def used(pid: int) -> float:
    """The seconds of processor time that process *pid* has spent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def carried(objects: int, body: bytes, *, shown: bool) -> dict[str, float]:
    """Carry *objects* once; milliseconds of processor time for each, by who spent them."""
    around = {**AROUND, "TRAILCOURIER_WORKERS__FLOWER_OBJECTS": str(shown).lower()}
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.valkey() as server,
        watched.watching(Path(folder), server.url, **around) as fleet,
    ):
        flower, worker, control, _ = (each.process.pid for each in fleet.fleet.started)
        pids = {"objects": worker, "control": control, "flower": flower}
        _carry(fleet, range(WARM), body, seen=WARM * shown)
        before = {name: used(pid) for name, pid in pids.items()}
        _carry(fleet, range(WARM, WARM + objects), body, seen=(WARM + objects) * shown)
        return {name: (used(pid) - before[name]) / objects * 1000 for name, pid in pids.items()}


def _carry(fleet: watched.Watched, numbers: range, body: bytes, *, seen: int) -> None:
    """Announce a file a message, and wait until all are settled and Flower has *seen* so many."""
    for at in numbers:
        fleet.s3.put(BUCKET, watched.key(at), body)
    fleet.sqs.send("trail", *(own(watched.key(at)) for at in numbers))
    until(lambda: not fleet.sqs.messages("trail"), seconds=600)
    until(lambda: _succeeded(fleet) >= seen, seconds=600)


def _succeeded(fleet: watched.Watched) -> int:
    """The forwards whose end Flower has seen."""
    _, text = fleet.page.ask("/metrics")
    ends = ("flower_events_total{", 'task="trailcourier.forward",type="task-succeeded"')
    lines = [line for line in text.splitlines() if all(end in line for end in ends)]
    return int(sum(float(line.rpartition(" ")[2]) for line in lines))


def main() -> None:
    """Measure, and end with one JSON line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m bench.flower", description=main.__doc__)
    parser.add_argument("--objects", type=int, default=2000, help="in one run")
    parser.add_argument("--events", type=int, default=20, help="in one file")
    parser.add_argument("--runs", type=int, default=5, help="of each kind, in turns")
    asked = parser.parse_args()
    body = log_file(asked.events)
    runs: dict[str, list[dict[str, float]]] = {"on": [], "off": []}
    for _ in range(asked.runs):
        for kind, kept in runs.items():
            kept.append(carried(asked.objects, body, shown=kind == "on"))
            print(kind, {name: round(value, 2) for name, value in kept[-1].items()}, flush=True)
    for name in runs["on"][0]:
        for kind, kept in runs.items():
            value = round(statistics.median(each[name] for each in kept), 2)
            print(json.dumps({"figure": f"flower_{kind}_{name}", "value": value, "unit": "ms"}))


if __name__ == "__main__":
    main()
