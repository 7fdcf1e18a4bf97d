"""Inflates a log file of any size, window by window.

gzip is recognised by its first two bytes (RFC 1952 section 2.3.1), not by the object's name or
headers.  isal checks each member's CRC-32 and length.  This module finds what isal does not: bytes
after the last member, and a last member that ends early.
"""

from collections.abc import Callable, Generator, Iterator
from typing import cast

from isal import igzip_lib

from trailcourier.errors import Fault

WINDOW = 256 * 1024  # bytes of text at a time: small enough for a processor's cache
# compressed bytes passed to isal at once; it copies what it has not read
FEED = 1024 * 1024
FEED_NEXT_MEMBER = (
    4096  # first feed of each further member, so that a million tiny ones cost little
)

MAGIC = b"\x1f\x8b"
OnProgress = Callable[[], object]
"""Called regularly while a log is read; an exception from it ends the reading."""

ISAL_ERROR = cast("type[Exception]", igzip_lib.IsalError)  # isal's stubs type it as an instance


def ignore_progress() -> None:
    """Do nothing."""


def text_windows(
    data: bytes, cap: int, whole: int = 0, on_progress: OnProgress = ignore_progress
) -> Iterator[bytes]:
    """Yield the text in *data*, gzip or plain, in windows.

    Each window but the last has at least half of ``WINDOW`` bytes.  A text whose stated length is
    at most *whole* comes as one window, which saves a copy.  *on_progress* is called for each
    window and each gzip member.  Raises Fault ``corrupt`` for a damaged stream, and ``too-large``
    for a text longer than *cap*; at most one window, or *whole*, beyond *cap* is inflated.
    """
    total = gathered = 0
    parts: list[bytes] = []
    for part in _inflate_members(data, whole) if data.startswith(MAGIC) else _slices(data, whole):
        on_progress()
        total += len(part)
        if total > cap:
            raise Fault("too-large", f"the text is longer than {cap} bytes once inflated")
        parts.append(part)
        gathered += len(part)
        if gathered >= WINDOW // 2:
            yield b"".join(parts)
            parts.clear()
            gathered = 0
    if parts:
        yield b"".join(parts)


def _slices(data: bytes, whole: int) -> Iterator[bytes]:
    size = max(len(data) if len(data) <= whole else WINDOW, 1)
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _inflate_members(data: bytes, whole: int) -> Iterator[bytes]:
    """Inflate one gzip member after another (RFC 1952 section 2.2)."""
    start = 0
    while start < len(data):
        if not data.startswith(MAGIC, start):
            rest = len(data) - start
            raise Fault("corrupt", f"{rest} bytes follow the gzip stream, at byte {start}")
        start = yield from _inflate_member(data, start, whole)
        yield b""  # so that a member without text counts as progress, too


def _inflate_member(data: bytes, start: int, whole: int) -> Generator[bytes, None, int]:
    """Inflate the member that begins at *start*; return the offset of the next one."""
    member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    # A file of one member ends with the length of its text: make room for all of it at once.
    stated = int.from_bytes(data[-4:], "little")
    room = stated if 0 < stated <= whole and not start else WINDOW
    feed = FEED_NEXT_MEMBER if start else FEED
    at = start
    while not member.eof:
        chunk = memoryview(data)[at : at + feed] if member.needs_input else b""
        if member.needs_input and not chunk:
            raise Fault("corrupt", f"the gzip stream ends early, after {len(data)} bytes")
        at += len(chunk)
        try:
            text = member.decompress(chunk, room)
        except ISAL_ERROR as error:
            raise Fault("corrupt", f"gzip member at byte {start}: {error}") from error
        if text:
            yield text
        room = WINDOW
        feed = min(2 * feed, FEED)
    return at - len(member.unused_data)
