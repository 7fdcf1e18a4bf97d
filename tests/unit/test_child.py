import io
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from trailcourier import child, tether

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
    """Whether no process *pid* is left; a zombie that init has yet to reap counts as gone."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_a_child_is_asked_to_stop_and_its_status_is_known():
    process = child.start(SLEEP)

    status = child.stop(process, grace=10)

    assert status == -signal.SIGTERM
    assert gone(process.pid)


def test_a_child_that_does_not_stop_is_made_to():
    process = child.start(STUBBORN, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()

    status = child.stop(process, grace=0.2)

    assert status == -signal.SIGKILL


def test_what_a_child_started_ends_with_it():
    code = f"import subprocess; p = subprocess.Popen({SLEEP!r}); print(p.pid, flush=True); p.wait()"
    process = child.start([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())

    child.kill(process)

    assert gone(grandchild)


def test_stopping_a_child_twice_does_nothing_the_second_time():
    process = child.start(SLEEP)
    child.kill(process)

    assert child.stop(process, grace=1) == -signal.SIGKILL


def test_a_child_has_a_session_of_its_own():
    process = child.start(SLEEP)

    assert os.getsid(process.pid) == process.pid
    child.kill(process)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_children_end_when_their_parent_is_gone(how):
    code = f"""
        import time
        from trailcourier import child
        print(child.start({SLEEP!r}).pid, child.start({SLEEP!r}).pid, flush=True)
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


def test_children_that_were_forgotten_are_ended_at_a_plain_exit():
    code = f"from trailcourier import child; print(child.start({SLEEP!r}).pid, flush=True)"
    finished = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=30, check=True
    )

    assert gone(int(finished.stdout))


def test_the_tether_knows_what_is_left():
    assert tether.groups(io.BytesIO(b"+11\n+12\n-11\n+13\n")) == {12, 13}


def test_the_tether_kills_what_will_not_stop():
    with subprocess.Popen(STUBBORN, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()

        tether.end({process.pid}, grace=0.2)

        assert process.wait(10) == -signal.SIGKILL


def test_the_tether_is_content_when_nothing_is_left():
    started = time.monotonic()

    tether.end({2**22 + 1}, grace=30)

    assert time.monotonic() - started < 5
