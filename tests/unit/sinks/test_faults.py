import errno
import os

import pytest

from trailcourier.reasons import REASONS
from trailcourier.sinks.faults import translate_os_error

CASES = {
    errno.ENOSPC: ("sink-full", "make room"),
    errno.EDQUOT: ("sink-full", "quota"),
    errno.EPIPE: ("sink-unreachable", ""),
    errno.ECONNRESET: ("sink-unreachable", ""),
    errno.EBADF: ("sink-unreachable", ""),
    errno.EACCES: ("sink-error", "worker's user"),
    errno.EROFS: ("sink-error", "writable"),
    errno.ENOENT: ("sink-error", "create the parent folder"),
    errno.ENOTDIR: ("sink-error", "not a folder"),
    errno.EXDEV: ("sink-error", "one filesystem"),
    errno.EIO: ("sink-error", ""),
}


@pytest.mark.parametrize(
    ("code", "reason", "advice"),
    [pytest.param(code, *case, id=errno.errorcode[code]) for code, case in CASES.items()],
)
def test_an_error_has_a_reason_and_its_detail_says_what_and_where_and_what_to_do(
    code, reason, advice
):
    error = OSError(code, os.strerror(code))

    found = translate_os_error(error, sink="archive", action="write to", path="/events")

    assert found.reason == reason
    assert found.where == "archive"
    assert f"cannot write to /events: {os.strerror(code)}" in found.detail
    assert advice in found.detail
    assert REASONS[reason].breaker == "sink"


def test_an_error_without_an_errno_keeps_its_text():
    found = translate_os_error(OSError("odd"), sink="archive", action="write", path="/events")

    assert (found.reason, found.detail) == ("sink-error", "cannot write /events: odd")
