"""What an error of the operating system means for the sink that met it."""

import errno
from pathlib import Path

from trailcourier.errors import Fault
from trailcourier.reason_names import ReasonName
from trailcourier.sinks.folders import Untrusted

_REASONS: dict[int, ReasonName] = {
    errno.ENOSPC: "sink-full",
    errno.EDQUOT: "sink-full",
    errno.EPIPE: "sink-unreachable",
    errno.ECONNRESET: "sink-unreachable",
    errno.EBADF: "sink-unreachable",
}
_ADVICE = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "raise the quota, or make room",
    errno.EACCES: "let the worker's user write there",
    errno.EPERM: "let the worker's user write there",
    errno.EROFS: "mount it writable",
    errno.ENOENT: "create the parent folder of the sink's `path`, or mount it",
    errno.EEXIST: "something that is not a folder has that name; move it away",
    errno.ENOTDIR: "something that is not a folder has that name; move it away",
    errno.EXDEV: "put the sink's `path` and all folders in it on one filesystem",
}


def translate_os_error(error: OSError, *, sink: str, action: str, path: Path | str) -> Fault:
    """Return the Fault that *error* means for *sink*; *action* is a verb, such as ``write to``."""
    if isinstance(error, Untrusted):
        return Fault("sink-untrusted", str(error.strerror), where=sink)
    code = error.errno or 0
    advice = _ADVICE.get(code)
    detail = f"cannot {action} {path}: {error.strerror or error}"
    if advice:
        detail = f"{detail}; {advice}"
    return Fault(_REASONS.get(code, "sink-error"), detail, where=sink)
