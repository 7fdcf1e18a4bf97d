"""The heartbeat file: a process writes it every ten seconds, and a health check reads it alone.

``trailcourier healthcheck`` runs every few seconds in every container, so this module imports
nothing slow; a frozen broker or a busy CPU must not delay its answer.

The file has four lines: the monotonic clock in seconds, the id of the boot that this clock counts
from, why the process should be restarted, and why it does no work although a restart would not
help.  All processes of a machine, containers included, share the monotonic clock
(clock_gettime(2)), and nobody can set it: setting a wall clock could make a dead process look
healthy, or healthy ones dead.
"""

import os
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

FRESH = 60.0  # seconds; a healthy process writes its file every ten
TORN = 0.05  # seconds after which a file read during a write is read again
BOOT = Path("/proc/sys/kernel/random/boot_id")  # random(4); hidden by systemd's ProcSubset=pid
USAGE = "trailcourier: healthcheck takes one file at most; see `trailcourier healthcheck --help`"


class Beat(NamedTuple):
    """The content of a file; *at* is the monotonic clock since *boot*, which may be empty."""

    at: float
    boot: str
    stuck: str
    away: str


def folder() -> Path:
    """Return this user's folder below the temporary directory."""
    return Path(tempfile.gettempdir()) / f"trailcourier-{os.getuid()}"


def default() -> Path:
    """Return the file of processes without `heartbeat_file`: one for each user."""
    return folder() / "heartbeat"


def touch(path: Path, *, stuck: str = "", away: str = "") -> None:
    """Write the file: the process is healthy, or *stuck* (restart it), or *away* from its broker.

    Raises OSError if it cannot write the file, or if another user could.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path == default():
        _demand_private(path.parent)
    content = "\n".join((f"{time.monotonic()!r}", boot(), _line(stuck), _line(away), ""))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _demand_owner(path, os.fstat(fd))
        written = os.pwrite(fd, content.encode(errors="replace"), 0)
        os.ftruncate(fd, written)
    finally:
        os.close(fd)


def restart(path: Path) -> str:
    """Return why the process with the file *path* should be restarted, or nothing."""
    beat = _read(path)
    return beat if isinstance(beat, str) else beat.stuck


def trouble(path: Path) -> str:
    """Return what keeps the process with the file *path* from working, or nothing."""
    beat = _read(path)
    return beat if isinstance(beat, str) else beat.stuck or beat.away


def check(arguments: list[str]) -> int:
    """Print what is wrong, if anything, to standard error; return the exit status."""
    if len(arguments) > 1:
        sys.stderr.write(f"{USAGE}\n")
        return os.EX_USAGE
    problem = trouble(Path(arguments[0]) if arguments else default())
    if problem:
        sys.stderr.write(f"trailcourier: {problem}\n")
    return 1 if problem else 0


def boot() -> str:
    """Return the id of this boot, from which the monotonic clock counts; empty if unknown."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


def _read(path: Path) -> Beat | str:
    """Return the content of the file, or why it does not prove that the process is alive."""
    try:
        beat = _beat(path)
        if beat is None:
            time.sleep(TORN)
            beat = _beat(path)
    except OSError as error:
        return f"no heartbeat at {path}: {error.strerror}"
    if beat is None:
        return f"no heartbeat at {path}: the file has other content; remove it"
    here, age = boot(), time.monotonic() - beat.at
    if age < 0 or (here and beat.boot and here != beat.boot):
        return f"the last heartbeat at {path} is from before this machine started"
    return f"the last heartbeat at {path} was {age:.0f} s ago" if age > FRESH else beat


def _beat(path: Path) -> Beat | None:
    """Return the content of the file; None during a write, or if it is no heartbeat."""
    if path == default():
        _demand_private(path.parent)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        _demand_owner(path, os.fstat(fd))
        lines = os.read(fd, 4096).decode(errors="replace").split("\n")
    finally:
        os.close(fd)
    try:
        at, started, stuck, away, end = lines
        return None if end else Beat(float(at), started, _line(stuck), _line(away))
    except ValueError:
        return None


def _demand_private(place: Path) -> None:
    """Raise PermissionError unless *place* is a folder that only this user may write to.

    Any user can create a folder of this name first.
    """
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        text = "its folder does not belong to this user alone; remove it"
        raise PermissionError(1, f"{text}, or set `workers.heartbeat_file`")


def _demand_owner(path: Path, found: os.stat_result) -> None:
    """Raise PermissionError if *path* belongs to another user; root may read every file."""
    if found.st_uid != os.getuid() and os.getuid() != 0:
        raise PermissionError(1, f"the file is not this user's; remove {path}")


def _line(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)[:900]
