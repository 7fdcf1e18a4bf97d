"""A long JSON text read forward, of which only the part at hand is held."""

import codecs
import re
from collections.abc import Callable, Iterator

import msgspec

from trailcourier.errors import Fault
from trailcourier.records import inflation

SPACE = re.compile(rb"[ \t\n\r]*+")
STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
# Strings and all else up to the next bracket, then an opening one, a closing one, or neither: the
# part at hand ends here, perhaps inside a string.
BRACKET = re.compile(
    rb'[^"\[\]{}]*+(?:' + STRING + rb'[^"\[\]{}]*+)*+(?:([\[{])|([\]}])|".*+|\Z)', re.DOTALL
)
SCALAR = re.compile(rb"(?:" + STRING + rb'|[^" \t\n\r,:\[\]{}]++(?=.)|[,:\]}])', re.DOTALL)
# Half a surrogate pair is valid JSON (RFC 8259 section 8.2) and json reads it; msgspec does not.
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

Split = Callable[[bytes], list[bytes]]

PIECE = 64 * 1024  # bytes decoded at once, to up to four times as many

ANY = msgspec.json.Decoder(msgspec.Raw)


class Text:
    """Where we are in a JSON text that comes in *windows*; no value may be longer than *limit*."""

    def __init__(self, windows: Iterator[bytes], limit: int) -> None:
        self.buffer = b""
        self.at = 0
        self.limit = limit
        self._windows = windows
        self._dropped = 0
        self._walk_until = 0

    @property
    def offset(self) -> int:
        """Bytes of the whole text that lie behind."""
        return self._dropped + self.at

    @property
    def at_hand(self) -> int:
        """Bytes of the text that lie ahead and need no further window."""
        return len(self.buffer) - self.at

    def unparseable(self, what: str) -> Fault:
        return Fault("unparseable", f"byte {self.offset} of the text: {what}")

    def peek(self) -> bytes:
        """The next character that is not white space, not taken; empty at the end of the text."""
        while True:
            self.at = SPACE.match(self.buffer, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.buffer):
                return self.buffer[self.at : self.at + 1]
            if not self._grow():
                return b""

    def take(self, character: bytes, where: str) -> None:
        if self.peek() != character:
            raise self.unparseable(f"expected {character.decode()!r} {where}")
        self.at += 1

    def value(self, what: str) -> bytes:
        """Take the next value, checked; *what* names it in errors."""
        if not self.peek():
            raise self.unparseable(f"the text ends before {what}")
        end = end_of_value(self.buffer, self.at)
        while not end and self.at_hand <= self.limit and self._grow():
            end = end_of_value(self.buffer, self.at)
        if (end or len(self.buffer)) - self.at > self.limit:
            raise Fault(
                "too-large",
                f"byte {self.offset} of the text: {what} is longer than {self.limit} bytes",
            )
        if not end:
            raise self.unparseable(f"the text ends inside {what}")
        value = self.buffer[self.at : end]
        if wrong := fault_of(value):
            raise self.unparseable(f"{what}: {wrong}")
        self.at = end
        return value

    def run(self, boundary: bytes, split: Split) -> list[bytes]:
        """Take up to the last *boundary* in a window's length, if *split* can.

        *split* is given the run as an array and returns its elements, or nothing if it is none.
        The boundary itself begins with the last character of the run and is not taken.
        """
        if self.offset < self._walk_until:
            return []
        if self.at_hand < inflation.WINDOW:
            run = self._run_into_next(boundary, split)
        else:
            end = _last(boundary, self.buffer, self.at, self.at + inflation.WINDOW) + 1
            run = split(_array(memoryview(self.buffer)[self.at : end])) if end else []
            self.at = end if run else self.at
        if not run:
            self._walk_until = self.offset + inflation.WINDOW  # the same guess would fail again
        return run

    def _run_into_next(self, boundary: bytes, split: Split) -> list[bytes]:
        window = next(self._windows, b"")
        end = _last(boundary, window, 0, len(window)) + 1
        rest = memoryview(self.buffer)[self.at :]
        if end and (run := split(_array(rest, memoryview(window)[:end]))):
            self._hold(window, len(self.buffer), end)
            return run
        if window:
            self._hold(b"".join((rest, window)), self.at, 0)
        return []

    def _hold(self, buffer: bytes, dropped: int, at: int) -> None:
        self._dropped += dropped
        self.buffer = buffer
        self.at = at

    def _grow(self) -> bool:
        """Drop what lies behind and have at least twice as much at hand; False at the end.

        Twice, so that a value of many windows is scanned and copied twice at most, in all.
        """
        rest = self.buffer[self.at :]
        more = []
        wanted = len(rest) or 1
        for window in self._windows:
            more.append(window)
            wanted -= len(window)
            if wanted <= 0:
                break
        if more:
            self._hold(b"".join([rest, *more] if rest else more), self.at, 0)
        return bool(more)


def _last(boundary: bytes, buffer: bytes, start: int, end: int) -> int:
    """Where the last *boundary* is, or else what any two objects have between them; -1 if none."""
    found = buffer.rfind(boundary, start, end)
    return found if found >= 0 else buffer.rfind(b"},{", start, end)


def _array(*parts: memoryview) -> bytes:
    return b"".join((b"[", *parts, b"]"))


def end_of_value(buffer: bytes, start: int) -> int:
    """Where the JSON value that begins at *start* ends; 0 if its end is not at hand.

    It need not be a valid one: only strings and brackets are looked at.
    """
    if buffer[start] not in b"[{":
        scalar = SCALAR.match(buffer, start)
        return scalar.end() if scalar else 0
    depth = 0
    for bracket in BRACKET.finditer(buffer, start):
        if bracket.lastindex == 1:
            depth += 1
        elif bracket.lastindex == 2:
            depth -= 1
            if not depth:
                return bracket.end()
        else:
            break
    return 0


def fault_of(value: bytes) -> str:
    """What keeps *value* from being one JSON value in UTF-8; empty if nothing does.

    msgspec checks all that it skips as strictly as ``json.loads``, except UTF-8.
    """
    try:
        check_utf8(value)
        ANY.decode(value)
    except UnicodeDecodeError as error:
        return f"not UTF-8 ({error.reason})"
    except RecursionError:
        return "nested too deeply"
    except msgspec.DecodeError as error:
        if not SURROGATE.search(value):
            return str(error)
        return fault_of(SURROGATE.sub(rb"\\u0041", value))
    return ""


def check_utf8(value: bytes) -> None:
    """Raise UnicodeDecodeError if *value* is not UTF-8; its text is never held whole."""
    if value.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(value), PIECE):
        decoder.decode(value[start : start + PIECE])
    decoder.decode(b"", final=True)
