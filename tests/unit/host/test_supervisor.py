import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from tests.support import servers
from trailcourier.errors import Broken, Unreachable
from trailcourier.host import supervised
from trailcourier.host.signals import SAME
from trailcourier.host.specs import ProcessSpec
from trailcourier.host.supervisor import Fleet
from trailcourier.ledger import broker

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def python(name, code, *, role="", **how):
    argv = (sys.executable, "-u", "-c", textwrap.dedent(code))
    return ProcessSpec(name, role or name, argv, **{"grace": 10, **how})


def sleeper(name, **how):
    return python(name, "import time; print('up', flush=True); time.sleep(60)", **how)


def stopper(name, **how):
    """Prints its name at SIGTERM."""
    code = f"""
        import signal, sys, time
        def stop(*_):
            print("{name} stops", time.monotonic_ns(), flush=True)
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        print("{name} runs", flush=True)
        time.sleep(60)
    """
    return python(name, code, **how)


class Log(io.BytesIO):
    """Collects the output of the processes, to wait for."""

    def awaited(self, text, *, times=1, within=15):
        deadline = time.monotonic() + within
        while self.getvalue().count(text) < times:
            assert time.monotonic() < deadline, f"{text!r} not in {self.getvalue()!r}"
            time.sleep(0.01)


@pytest.fixture
def log():
    return Log()


def fleet(members, log, *, lines=None, **how):
    say = (lines if lines is not None else []).append
    return Fleet(members, environment=ENVIRONMENT, say=say, log=log, **how)


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until(holds, *, within=15):
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_processes_run_until_the_context_is_left(log):
    with fleet([sleeper("one"), sleeper("two")], log) as entered:
        pids = [each.pid for each in entered.processes]
        log.awaited(b"up", times=2)

        assert all(running(pid) for pid in pids)

    assert not any(running(pid) for pid in pids)


def test_the_last_started_stops_first_and_a_role_stops_together(log):
    members = [stopper("objects-1", role="objects"), stopper("objects-2", role="objects")]
    with fleet([stopper("flower"), *members, stopper("control"), stopper("beat")], log):
        log.awaited(b"runs", times=5)

    stopped = [line.split() for line in log.getvalue().splitlines() if b"stops" in line]
    # by the processes' own clocks, as the order of lines depends on the readers' threads
    stops = [name for name, _, _ in sorted(stopped, key=lambda line: int(line[2]))]
    assert stops[:2] == [b"beat", b"control"]
    assert set(stops[2:4]) == {b"objects-1", b"objects-2"}
    assert stops[4:] == [b"flower"]


class Slow(Log):
    def write(self, line):
        time.sleep(0.3)
        return super().write(line)


def test_the_output_of_an_ended_process_is_written_before_the_context_is_left():
    it = supervised.for_member(python("worker", "print('worker ends')"), {}, log := Slow())
    it.start()
    ends = time.monotonic() + 20
    while not it.check() and time.monotonic() < ends:
        time.sleep(0.001)

    it.end(1)

    assert b"worker ends" in log.getvalue()


def test_the_output_of_a_stopped_process_is_written_before_the_context_is_left():
    with fleet([stopper("worker")], log := Slow()):
        log.awaited(b"runs")

    assert b"worker stops" in log.getvalue()


def test_a_process_that_ends_is_restarted(log, monkeypatch):
    monkeypatch.setattr(supervised, "FIRST_WAIT", 0.05)
    lines = []
    with fleet([sleeper("worker")], log, lines=lines) as entered:
        log.awaited(b"up")
        first = entered.processes[0].pid
        os.kill(first, signal.SIGKILL)
        log.awaited(b"up", times=2)

        assert entered.processes[0].pid not in (0, first)

    assert lines == ["worker ended (SIGKILL); it is restarted in 0.05 s"]


def test_the_pause_before_a_restart_grows(log, monkeypatch):
    monkeypatch.setattr(supervised, "FIRST_WAIT", 0.02)
    lines = []
    with (
        pytest.raises(Broken),
        fleet([python("worker", "raise SystemExit(3)")], log, lines=lines) as entered,
    ):
        assert entered.stopping.wait(30)

    assert [each.split()[-2] for each in lines] == ["0.02", "0.04", "0.08", "0.16"]


def test_five_ends_in_a_minute_stop_the_fleet_with_the_last_output(log, monkeypatch):
    monkeypatch.setattr(supervised, "FIRST_WAIT", 0.01)
    dying = python("control", "print('no such thing as a free lunch'); raise SystemExit(3)")
    entered = fleet([sleeper("objects"), dying], log)

    with (
        pytest.raises(Broken, match=r"control ended \(status 3\), for the 5th time") as raised,
        entered,
    ):
        entered.stopping.wait(30)

    assert "free lunch" in str(raised.value)
    assert [each.pid for each in entered.processes] == [0, 0]


def test_five_ends_in_more_than_a_minute_do_not(log, monkeypatch):
    monkeypatch.setattr(supervised, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(supervised, "MINUTE", 0.0)
    with fleet([python("worker", "print('up')")], log) as entered:
        log.awaited(b"up", times=7)

        assert not entered.stopping.is_set()


def test_an_error_in_the_block_is_not_hidden(log):
    with pytest.raises(KeyError), fleet([sleeper("worker")], log):
        raise KeyError


def test_a_missing_program_is_an_error(log):
    with (
        pytest.raises(Unreachable, match="cannot start worker"),
        fleet([sleeper("other"), ProcessSpec("worker", "worker", ("/not/there",))], log),
    ):
        pass


def test_a_process_gets_its_environment_and_that_of_all(log):
    code = "import os; print(os.environ['OURS'], os.environ['PATH'] != '', flush=True); input()"
    with fleet([python("worker", code, environment={"OURS": "mine"})], log):
        log.awaited(b"mine True")


def test_a_process_that_ignores_sigterm_is_killed(log):
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("up")
        time.sleep(60)
    """
    with fleet([python("worker", code, grace=0.2)], log) as entered:
        log.awaited(b"up")
        pid = entered.processes[0].pid

    assert not running(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_fleet(log, number):
    with fleet([stopper("worker")], log) as entered:
        log.awaited(b"runs")
        os.kill(os.getpid(), number)

        assert entered.stopping.wait(10)

    assert b"worker stops" in log.getvalue()


def test_a_second_signal_kills_all(log):
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, lambda *_: print("not yet"))
        print("up")
        while True:
            time.sleep(60)
    """
    with fleet([python("worker", code, grace=60)], log) as entered:
        log.awaited(b"up")
        os.kill(os.getpid(), signal.SIGTERM)
        assert entered.stopping.wait(10)
        started = time.monotonic()

        def again():
            log.awaited(b"not yet")
            time.sleep(SAME)
            os.kill(os.getpid(), signal.SIGTERM)

        second = threading.Thread(target=again)
        second.start()

    second.join(10)
    assert time.monotonic() - started < 20


def test_two_signals_at_once_are_one(log):
    with fleet([stopper("worker")], log) as entered:
        log.awaited(b"runs")
        os.kill(os.getpid(), signal.SIGTERM)  # like `timeout`: to the process, then to its group
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

        assert entered.stopping.wait(10)

    assert b"worker stops" in log.getvalue()


@pytest.mark.parametrize("times", [1, 2])
def test_the_broker_answers_until_the_other_processes_have_ended(log, monkeypatch, times):
    monkeypatch.setattr(supervised, "FIRST_WAIT", 0.05)
    with (
        servers.valkey() as private,
        fleet([sleeper("worker")], log, broker=private) as entered,
        broker.connect(private.url) as client,
    ):
        log.awaited(b"up")
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(SAME + 0.1)
        assert client.ping()

        os.kill(first := entered.processes[0].pid, signal.SIGTERM)  # a signal to all processes
        until(lambda: entered.processes[0].pid not in (0, first))

        assert client.ping()


def test_the_signal_handlers_are_restored(log):
    def ours(*_):
        pass

    before = signal.signal(signal.SIGTERM, ours)
    try:
        with fleet([sleeper("worker")], log):
            pass

        assert signal.getsignal(signal.SIGTERM) is ours
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_killed_broker_is_restarted_at_the_same_address(log, monkeypatch):
    monkeypatch.setattr(supervised, "FIRST_WAIT", 0.05)
    with servers.valkey() as private, fleet([], log, broker=private) as entered:
        url, first = private.url, entered.processes[0].pid
        os.kill(first, signal.SIGKILL)
        until(lambda: entered.processes[0].pid not in (0, first))

        with broker.connect(url) as client:
            assert client.ping()


HOST = """
    import sys, time
    from trailcourier.host.specs import ProcessSpec
    from trailcourier.host.supervisor import Fleet
    CODE = '''{code}'''
    command = (sys.executable, "-u", "-c", CODE)
    member = ProcessSpec("objects", "objects", command, stdout="{stdout}")
    with Fleet([member], environment={{}}, say=lambda _: None) as fleet:
        while not fleet.stopping.wait(0.1):
            pass
"""


def host(code, stdout="log"):
    """A program that runs a fleet of one process."""
    text = textwrap.dedent(HOST).format(code=code, stdout=stdout)
    return subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize(
    ("stdout", "there", "not_there"),
    [("ours", "stdout", "stderr"), ("log", "stderr", "stdout")],
    ids=["ours", "log"],
)
def test_standard_output_is_inherited_or_logged(stdout, there, not_there):
    with host("import time; print('a record'); time.sleep(60)", stdout) as process:
        assert getattr(process, there).readline() == b"a record\n"
        process.send_signal(signal.SIGTERM)
        output = dict(zip(("stdout", "stderr"), process.communicate(timeout=30), strict=True))

    assert process.returncode == 0
    assert output[not_there] == b""


def test_a_killed_host_process_leaves_no_process_behind():
    code = "import os, time; print(os.getpid()); time.sleep(60)"
    with host(code, "ours") as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())

        process.kill()

    until(lambda: not running(pid), within=20)


def test_a_process_goes_on_if_its_log_is_closed(log, tmp_path):
    code = f"""
        import pathlib, time
        for number in range(20_000):  # more than a pipe buffers
            print("x" * 100)
        pathlib.Path({str(tmp_path / "end")!r}).touch()
        time.sleep(60)
    """
    with fleet([python("worker", code)], log):
        log.close()

        until((tmp_path / "end").exists)
