"""The heartbeat file: a process writes it every ten seconds, and who asks looks at nothing else.

``trailcourier healthcheck`` runs every few seconds in every container, so this imports nothing that
takes time; a frozen broker or a full CPU must not keep it from an answer.

The file holds four lines: the monotonic clock in seconds, the boot that this clock counts from, why
the process should be restarted, and why it does no work although it need not be.  The monotonic
clock is one for all processes of a machine, containers included (clock_gettime(2)), and nobody can
set it: a wall clock that is set would make a dead process well, or all of them dead.
"""

import os
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

FRESH = 60.0  # seconds; a process that is well writes its file every ten
TORN = 0.05  # seconds until a file that was read while it was written is whole
BOOT = Path("/proc/sys/kernel/random/boot_id")  # random(4); not seen under ProcSubset=pid
USAGE = "trailcourier: give healthcheck one file at most; see `trailcourier healthcheck --help`"


class Beat(NamedTuple):
    """What a file says; *at* is seconds of the monotonic clock of *boot*, empty if not known."""

    at: float
    boot: str
    stuck: str
    away: str


def folder() -> Path:
    """This user's folder among the temporary files."""
    return Path(tempfile.gettempdir()) / f"trailcourier-{os.getuid()}"


def default() -> Path:
    """The file of a process that was given none: one for all processes of this user."""
    return folder() / "heartbeat"


def touch(path: Path, *, stuck: str = "", away: str = "") -> None:
    """Say how this process is: well, or *stuck* and to be restarted, or *away* from its work.

    Raises OSError where it cannot write there, or where another user could.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path == default():
        _demand_private(path.parent)
    told = "\n".join((f"{time.monotonic()!r}", boot(), _line(stuck), _line(away), ""))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _demand_owner(path, os.fstat(fd))
        written = os.pwrite(fd, told.encode(errors="replace"), 0)
        os.ftruncate(fd, written)
    finally:
        os.close(fd)


def restart(path: Path) -> str:
    """Why the process whose file *path* is should be restarted; empty where it should not."""
    beat = _read(path)
    return beat if isinstance(beat, str) else beat.stuck


def trouble(path: Path) -> str:
    """What keeps the process whose file *path* is from its work; empty where nothing does."""
    beat = _read(path)
    return beat if isinstance(beat, str) else beat.stuck or beat.away


def check(arguments: list[str]) -> int:
    """Say on standard error what is wrong, if anything is; the answer is the exit status."""
    if len(arguments) > 1:
        sys.stderr.write(f"{USAGE}\n")
        return os.EX_USAGE
    said = trouble(Path(arguments[0]) if arguments else default())
    if said:
        sys.stderr.write(f"trailcourier: {said}\n")
    return 1 if said else 0


def boot() -> str:
    """Which start of this machine the monotonic clock counts from; empty where nobody says."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


def _read(path: Path) -> Beat | str:
    """What the file says, or why that proves nothing."""
    try:
        beat = _beat(path)
        if beat is None:
            time.sleep(TORN)
            beat = _beat(path)
    except OSError as error:
        return f"no heartbeat at {path}: {error.strerror}"
    if beat is None:
        return f"no heartbeat at {path}: the file holds something else"
    here, age = boot(), time.monotonic() - beat.at
    if age < 0 or (here and beat.boot and here != beat.boot):
        return f"the last heartbeat at {path} is from before this machine started"
    return f"the last heartbeat at {path} was {age:.0f} s ago" if age > FRESH else beat


def _beat(path: Path) -> Beat | None:
    """What the file says; None while it is being written, or where it is no heartbeat."""
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
    """Raise PermissionError unless *place* is a folder of this user that nobody else may write to.

    Anybody may make a folder of this name there, before us.
    """
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        text = "its folder is not this user's alone; remove it, or set `workers.heartbeat_file`"
        raise PermissionError(1, text)


def _demand_owner(path: Path, found: os.stat_result) -> None:
    """Raise PermissionError where *path* is another user's; root may look at anybody's."""
    if found.st_uid != os.getuid() and os.getuid() != 0:
        raise PermissionError(1, f"the file is not this user's; remove {path}")


def _line(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)[:900]
