"""What an error of the operating system means for a sink that met it."""

import errno
from pathlib import Path

from trailcourier.errors import Fault
from trailcourier.sinks.folders import Untrusted

_REASONS = {
    errno.ENOSPC: "sink-full",
    errno.EDQUOT: "sink-full",
    errno.EPIPE: "sink-unreachable",
    errno.ECONNRESET: "sink-unreachable",
    errno.EBADF: "sink-unreachable",
}
_ADVICE = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "raise the quota, or make room",
    errno.EACCES: "let the user the worker runs as write there",
    errno.EPERM: "let the user the worker runs as write there",
    errno.EROFS: "mount it writable",
    errno.ENOENT: "create the folder the sink's `path` lies in, or mount it",
    errno.EEXIST: "something that is no folder has that name; move it away",
    errno.ENOTDIR: "something that is no folder has that name; move it away",
    errno.EXDEV: "let the sink's `path` and all folders in it lie on one filesystem",
}


def fault(error: OSError, *, sink: str, doing: str, path: Path | str) -> Fault:
    """Translate *error*; *doing* is a verb with what it was done to, *path* is where."""
    if isinstance(error, Untrusted):
        return Fault("sink-untrusted", str(error.strerror), where=sink)
    code = error.errno or 0
    advice = _ADVICE.get(code)
    detail = f"cannot {doing} {path}: {error.strerror or error}"
    if advice:
        detail = f"{detail}; {advice}"
    return Fault(_REASONS.get(code, "sink-error"), detail, where=sink)
