import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from trailcourier.aws.network import Network
from trailcourier.errors import Fault
from trailcourier.host import child_process
from trailcourier.models import ObjectRef, Origin
from trailcourier.sinks import stdout
from trailcourier.sinks.stdout import Stdout

ROOT = Path(__file__).parents[3]
ORIGIN = Origin("prod", ObjectRef("acme-cloudtrail", "a.json.gz"), "etag")
RECORD = b'{"pad":"' + b"x" * 1000 + b'"}'
WRITER = f"""
from trailcourier.aws.network import Network
from trailcourier.sinks.stdout import Stdout
Stdout(type="stdout").open("siem", Network()).send([{RECORD!r}] * 1000)
"""
HOLDER = """
import os, sys, time
from trailcourier.sinks import stdout
with stdout._output_lock(time.monotonic() + 10):
    print("held", file=sys.stderr, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def private_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def pipe(monkeypatch):
    """A pipe as standard output; yields the end to read from."""
    out, into = os.pipe()
    monkeypatch.setattr(stdout, "FD", into)
    with os.fdopen(out, "rb", buffering=0) as reader:
        yield reader
        os.close(into)


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "out"
    with path.open("ab") as opened:
        monkeypatch.setattr(stdout, "FD", opened.fileno())
        yield path


def sink(seconds=5.0):
    return Stdout(type="stdout", timeout_seconds=seconds).open("siem", Network())


def started(code):
    """Start a process whose standard output is the one under test."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": tempfile.gettempdir()}
    return child_process.start(
        [sys.executable, "-c", code],
        environment=environ,
        stdin=subprocess.PIPE,
        stdout=stdout.FD,
        stderr=subprocess.PIPE,
    )


def drained(reader, seconds=0.2):
    """Return what is in the pipe."""
    os.set_blocking(reader.fileno(), False)
    found, end = b"", time.monotonic() + seconds
    while (piece := reader.read(65_536)) or time.monotonic() < end:
        found += piece or b""
    return found


def slowly(reader, into, done):
    """Read all, in small pieces with pauses, until *done* is set and nothing is left."""
    os.set_blocking(reader.fileno(), False)
    while True:
        finished = done.is_set()
        piece = reader.read(3000)
        if piece:
            into.append(piece)
        elif finished:
            return
        time.sleep(0.0005)


def test_each_record_is_a_line(file):
    sink().start(ORIGIN).send([b'{"n":1}', b'{"n":2}'])

    assert file.read_bytes() == b'{"n":1}\n{"n":2}\n'


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "non-blocking"])
def test_a_slow_reader_gets_everything(pipe, blocking):
    os.set_blocking(stdout.FD, blocking)
    found, done = [], threading.Event()
    reader = threading.Thread(target=slowly, args=(pipe, found, done))
    reader.start()

    sink().send([RECORD] * 500)
    done.set()
    reader.join(20)

    assert b"".join(found) == (RECORD + b"\n") * 500
    assert os.get_blocking(stdout.FD) is blocking


def test_writing_waits_while_there_is_little_room(file, monkeypatch):
    real, room = os.write, [0, 1, 0, 5]

    def write(fd, data):
        size = room.pop(0)
        if not size:
            raise BlockingIOError
        return real(fd, data[:size])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        sink().send([b"[1,2]"])

    assert file.read_bytes() == b"[1,2]\n"


def test_a_reader_that_does_not_read_is_busy_after_the_timeout(pipe):
    begun = time.monotonic()

    with pytest.raises(Fault) as raised:
        sink(0.3).send([RECORD] * 500)

    assert raised.value.reason == "sink-busy"
    assert raised.value.where == "siem"
    assert "0.3 s" in raised.value.detail
    assert 0.3 <= time.monotonic() - begun < 10


def test_after_an_unfinished_line_the_next_is_on_a_line_of_its_own(pipe):
    with pytest.raises(Fault):
        sink(0.2).send([RECORD] * 500)
    cut = drained(pipe)

    sink().send([b'{"n":1}'])

    assert not cut.endswith(b"\n")
    assert drained(pipe) == b'\n{"n":1}\n'


def test_no_line_break_is_added_after_a_whole_line(pipe):
    with pytest.raises(Fault):
        sink(0.2).send([RECORD] * 500)
    drained(pipe)
    sink().send([b'{"n":1}'])
    drained(pipe)

    sink().send([b'{"n":2}'])

    assert drained(pipe) == b'{"n":2}\n'


def test_the_next_writer_ends_the_line_of_a_killed_process(pipe):
    process = started(WRITER)
    head = os.read(pipe.fileno(), 10)  # it is within its batch, because the pipe is small
    child_process.kill(process)
    torn = head + drained(pipe)

    sink().send([b'{"n":1}'])

    lines = (torn + drained(pipe)).split(b"\n")
    assert set(lines[:-3]) <= {RECORD}
    assert RECORD.startswith(lines[-3])
    assert lines[-2:] == [b'{"n":1}', b""]


def test_writers_wait_for_each_other(file):
    holder = started(HOLDER)
    assert holder.stderr.readline() == b"held\n"

    with pytest.raises(Fault) as raised:
        sink(0.2).send([b"{}"])
    child_process.kill(holder)
    sink().send([b"{}"])

    assert raised.value.reason == "sink-busy"
    assert file.read_bytes() == b"{}\n"


def test_the_lock_is_released_even_if_a_forked_child_has_a_copy(file):
    with stdout._output_lock(time.monotonic() + 5) as lock:
        copy = os.dup(lock)

    sink(0.5).send([b"{}"])

    os.close(copy)
    assert file.read_bytes() == b"{}\n"


def test_the_lock_is_released_when_a_write_fails(pipe):
    with pytest.raises(Fault):
        sink(0.1).send([RECORD] * 500)

    with stdout._output_lock(time.monotonic() + 0.5):
        pass


def test_standard_output_may_be_a_socket(monkeypatch):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        monkeypatch.setattr(stdout, "FD", ours.fileno())

        sink().send([b'{"n":1}'])

        assert theirs.recv(100) == b'{"n":1}\n'


def test_a_closed_pipe_is_unreachable(pipe):
    pipe.close()

    with pytest.raises(Fault) as raised:
        sink().send([b"{}"])

    assert raised.value.reason == "sink-unreachable"


def test_a_closed_standard_output_is_unreachable(monkeypatch):
    fd = os.dup(2)
    os.close(fd)
    monkeypatch.setattr(stdout, "FD", fd)

    with pytest.raises(Fault) as raised:
        sink().send([b"{}"])

    assert raised.value.reason == "sink-unreachable"


def test_a_full_disk_is_sink_full(monkeypatch):
    with Path("/dev/full").open("wb") as device:
        monkeypatch.setattr(stdout, "FD", device.fileno())

        with pytest.raises(Fault) as raised:
            sink().send([b"{}"])

    assert raised.value.reason == "sink-full"


def loose(folder):
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)


def elsewhere(folder):
    folder.with_name("theirs").mkdir(mode=0o700)
    folder.symlink_to(folder.with_name("theirs"))


@pytest.mark.parametrize("make", [loose, elsewhere], ids=["open-to-all", "a-link"])
def test_a_lock_folder_that_others_could_use_is_not_used(file, tmp_path, make):
    folder = tmp_path / f"trailcourier-{os.getuid()}"
    make(folder)

    with pytest.raises(Fault) as raised:
        sink().send([b"{}"])

    assert raised.value.reason == "sink-error"
    assert str(folder) in raised.value.detail
    assert "remove it" in raised.value.detail
    assert file.read_bytes() == b""


def test_each_output_has_its_own_lock(tmp_path, monkeypatch):
    names = set()
    for name in ("one", "other"):
        with (tmp_path / name).open("ab") as opened:
            monkeypatch.setattr(stdout, "FD", opened.fileno())
            names.add(stdout._lock_path())

    assert len(names) == 2


def test_a_suspended_writer_delays_others_only_until_their_timeout(file):
    holder = started(HOLDER)
    assert holder.stderr.readline() == b"held\n"
    child_process.send(holder, signal.SIGSTOP)

    with pytest.raises(Fault, match="sink-busy"):
        sink(0.2).send([b"{}"])

    child_process.kill(holder)
