"""The text of a log file, window by window, however large it is.

gzip is told by its first two bytes (RFC 1952 section 2.3.1), not by the object's name or headers.
isal checks each member's CRC-32 and length; what it does not see, bytes after the last member and
a last member that ends early, is found here.
"""

from collections.abc import Callable, Generator, Iterator
from typing import cast

from isal import igzip_lib

from trailcourier.errors import Fault

WINDOW = 256 * 1024  # bytes of text at a time: small enough for a processor's cache
FEED = (
    1024 * 1024
)  # compressed bytes given to isal at once; it keeps a copy of what it has not read
FEED_AGAIN = 4096  # at first for members after the first, so that a million tiny ones cost little

MAGIC = b"\x1f\x8b"
Going = Callable[[], None]
"""Called every so often while a log is read; what it raises ends the reading."""

DAMAGED = cast("type[Exception]", igzip_lib.IsalError)  # the stubs call it an instance


def on() -> None:
    """Read on."""


def windows(data: bytes, cap: int, whole: int = 0, going: Going = on) -> Iterator[bytes]:
    """The text in *data*, gzip or plain, in windows of at least half a ``WINDOW`` but for the last.

    A text that says it is no longer than *whole* comes in one, so that it need not be copied.
    *going* is called for each window and each gzip member.
    Raises Fault ``corrupt`` for a damaged stream and ``too-large`` once the text is longer than
    *cap*; never more than a window, or *whole*, beyond it is inflated.
    """
    total = gathered = 0
    parts: list[bytes] = []
    for part in _inflated(data, whole) if data.startswith(MAGIC) else _slices(data, whole):
        going()
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


def _inflated(data: bytes, whole: int) -> Iterator[bytes]:
    """One member after another (RFC 1952 section 2.2)."""
    at = 0
    while at < len(data):
        if not data.startswith(MAGIC, at):
            raise Fault("corrupt", f"{len(data) - at} bytes follow the gzip stream, at byte {at}")
        at = yield from _member(data, at, whole)
        yield b""  # a member without text is one all the same


def _member(data: bytes, start: int, whole: int) -> Generator[bytes, None, int]:
    """Inflate the member that begins at *start*; returns where the next one would."""
    member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    # A sound object of one member ends with the length of its text: room for all of it at once.
    said = int.from_bytes(data[-4:], "little")
    room = said if 0 < said <= whole and not start else WINDOW
    feed = FEED_AGAIN if start else FEED
    at = start
    while not member.eof:
        given = memoryview(data)[at : at + feed] if member.needs_input else b""
        if member.needs_input and not given:
            raise Fault("corrupt", f"the gzip stream ends early, after {len(data)} bytes")
        at += len(given)
        try:
            text = member.decompress(given, room)
        except DAMAGED as error:
            raise Fault("corrupt", f"gzip member at byte {start}: {error}") from error
        if text:
            yield text
        room = WINDOW
        feed = min(2 * feed, FEED)
    return at - len(member.unused_data)
