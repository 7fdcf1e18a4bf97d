"""What runs on this machine, also where no `ps` is."""

import contextlib
import subprocess
from pathlib import Path

PROC = Path("/proc")
LISTED = (PROC / "self/environ").exists()  # not on macOS, which has `ps`


def command_line(pid: int) -> str:
    """The arguments of a process."""
    if LISTED:
        return _text(PROC / str(pid) / "cmdline")
    return _output("ps", "-ww", "-o", "args=", "-p", str(pid))


def all_of_them() -> list[str]:
    """Of each process its number, arguments and environment, in a line."""
    if not LISTED:
        return _output("ps", "axeww").splitlines()
    found = []
    for folder in PROC.iterdir():
        # it may end meanwhile, or be somebody else's
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if folder.name.isdigit():
                environment = _text(folder / "environ")
                found.append(f"{folder.name} {_text(folder / 'cmdline')} {environment}")
    return found


def _text(path: Path) -> str:
    return path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()


def _output(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
