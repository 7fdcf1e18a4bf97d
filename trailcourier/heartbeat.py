"""The heartbeat file: a process that is well touches it, and who asks looks at nothing else.

``trailcourier healthcheck`` runs every few seconds in every container, so this imports nothing that
takes time; a frozen broker or a full CPU must not keep it from an answer.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

FRESH = 60.0  # seconds; a process that is well touches its file every ten
USAGE = "trailcourier: give healthcheck one file at most; see `trailcourier healthcheck --help`"


def default() -> Path:
    """The file of a process that was given none: one for all processes of this user."""
    return Path(tempfile.gettempdir()) / f"trailcourier-{os.getuid()}" / "heartbeat"


def touch(path: Path) -> None:
    """Say that this process is well; raises OSError where it cannot write there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.utime(fd)
    finally:
        os.close(fd)


def trouble(path: Path) -> str:
    """What is wrong with the process whose file *path* is; empty where it is well."""
    try:
        age = time.time() - path.stat().st_mtime
    except OSError as error:
        return f"no heartbeat at {path}: {error.strerror}"
    return f"the last heartbeat at {path} was {age:.0f} s ago" if age > FRESH else ""


def check(arguments: list[str]) -> int:
    """Say on standard error what is wrong, if anything is; the answer is the exit status."""
    if len(arguments) > 1:
        sys.stderr.write(f"{USAGE}\n")
        return os.EX_USAGE
    said = trouble(Path(arguments[0]) if arguments else default())
    if said:
        sys.stderr.write(f"trailcourier: {said}\n")
    return 1 if said else 0
