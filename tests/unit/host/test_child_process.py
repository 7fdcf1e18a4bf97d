import io
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from trailcourier.host import child_process, reaper

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
""",
]


def gone(pid: int, *, within: float = 10) -> bool:
    """Whether the process *pid* has ended; a zombie counts as ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_stop_sends_sigterm_and_returns_the_exit_status():
    process = child_process.start(SLEEP)

    status = child_process.stop(process, grace=10)

    assert status == -signal.SIGTERM
    assert gone(process.pid)


def test_a_child_that_ignores_sigterm_is_killed():
    process = child_process.start(STUBBORN, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()

    status = child_process.stop(process, grace=0.2)

    assert status == -signal.SIGKILL


def test_the_children_of_a_child_end_with_it():
    code = f"import subprocess; p = subprocess.Popen({SLEEP!r}); print(p.pid, flush=True); p.wait()"
    process = child_process.start([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())

    child_process.kill(process)

    assert gone(grandchild)


def test_stopping_a_child_twice_does_nothing_the_second_time():
    process = child_process.start(SLEEP)
    child_process.kill(process)

    assert child_process.stop(process, grace=1) == -signal.SIGKILL


def test_a_child_has_a_session_of_its_own():
    process = child_process.start(SLEEP)

    assert os.getsid(process.pid) == process.pid
    child_process.kill(process)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_children_end_when_their_parent_dies(how):
    code = f"""
        import time
        from trailcourier.host import child_process
        print(child_process.start({SLEEP!r}).pid, child.start({SLEEP!r}).pid, flush=True)
        time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]

        parent.send_signal(how)
        parent.wait(10)

        assert all(gone(pid) for pid in children)


def test_children_that_were_not_stopped_end_at_a_normal_exit():
    code = f"""
from trailcourier.host import child_process
print(child_process.start({SLEEP!r}).pid, flush=True)
"""
    finished = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=30, check=True
    )

    assert gone(int(finished.stdout))


def test_the_reaper_knows_the_groups_that_are_left():
    assert reaper.read_groups(io.BytesIO(b"+11\n+12\n-11\n+13\n")) == {12, 13}


def test_the_reaper_kills_a_group_that_ignores_sigterm():
    with subprocess.Popen(STUBBORN, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()

        reaper.end({process.pid}, grace=0.2)

        assert process.wait(10) == -signal.SIGKILL


def test_the_reaper_does_nothing_if_no_group_is_left():
    started = time.monotonic()

    reaper.end({2**22 + 1}, grace=30)

    assert time.monotonic() - started < 5
