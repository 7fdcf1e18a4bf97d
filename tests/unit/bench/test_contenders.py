import os
import sys

import pytest

from bench.contenders import Contender
from trailcourier.host.specs import ProcessSpec

SLEEPS = ProcessSpec("one", "one", (sys.executable, "-c", "import time; time.sleep(60)"))


class Gone:
    """A queue whose server has ended."""

    def close(self):
        raise ConnectionResetError


def test_a_contender_ends_its_processes_if_its_queue_is_gone(tmp_path):
    contender = Contender("line", tmp_path, Gone())
    contender.start(SLEEPS, {})
    (pid,) = contender.pids("one")

    contender.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_error_for_a_process_that_ended_has_its_last_output(tmp_path):
    contender = Contender("line", tmp_path, Gone())
    (tmp_path / "log").write_text("no such broker")
    contender.start(ProcessSpec("one", "one", (sys.executable, "-c", "")), {})
    contender._processes[0][1].wait(10)

    with pytest.raises(RuntimeError, match="line: one ended:\nno such broker"):
        contender.cpu_seconds()

    contender.close()
