"""Faults that the simulation found, each shrunk to a run that showed it, and what was wrong.

A run is one more place where the line stood still or forgot something; it may take another course
once the plan of its seed changes, so each fault has a test of its own as well.
"""

import shlex

import pytest

from tests.simulation.__main__ import main

FOUND = {
    "a success was as old as its answer, and a good record was refused":
        "--seed 6002258 --profile sinks --messages m0,m1,m2 --events 0 --strikes "
        "sink.start#2=error:sink-credentials,sink.send#8=freeze-after@14459",
    "a read was as old as its outcome, and a good object was refused as denied alone":
        "--seed 6000050 --profile buckets --messages "
        f"{','.join(f'm{at}' for at in range(23))} --events 0 --strikes "
        "bucket.body#5=error:network,bucket.body#17=freeze-after@15509",
    "a host without its disk took the same object again and again":
        "--seed 50000865 --profile sinks --messages m0,m1,m2,m3,m4,m5 --events 0,1,2 "
        "--strikes sink.send#9=error:sink-error",
    "a message larger than its bucket may have parked came back until it was dead":
        "--seed 50201171 --profile everything --messages m4,m5 --events 2 "
        "--strikes ledger.take_finished_messages#2=freeze-before@24404",
}  # fmt: skip


@pytest.mark.parametrize("command", FOUND.values(), ids=FOUND)
def test_a_fault_that_was_found_is_gone(command: str) -> None:
    assert main(shlex.split(command)) == 0
