"""A long JSON text read forward, of which only the part at hand is held."""

import codecs
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from trailcourier.errors import Fault
from trailcourier.records import inflation

# A group has no possessive quantifier here: before 3.11.5 CPython counts an iteration that failed
# (gh-106052).  A bound keeps small what the group may take back.
SPACE = re.compile(rb"[ \t\n\r]*+")
PLAIN, ESCAPED = rb'[^"\\]*+', rb'(?:\\.[^"\\]*+)'
STRING = re.compile(PLAIN + ESCAPED + rb"{0,64}", re.DOTALL)
# Up to 64 strings and all else to the next brackets, then opening ones, closing ones, or neither:
# there is a further string, perhaps one of very many escapes, or the part at hand ends.
BRACKETS = re.compile(
    rb'[^"\[\]{}]*+(?:"' + PLAIN + rb'(?:"|' + ESCAPED + rb'{1,64}")[^"\[\]{}]*+){0,64}'
    rb"(?:([\[{]++)|([\]}]++)|)",
    re.DOTALL,
)
SCALAR = re.compile(rb'[^" \t\n\r,:\[\]{}]++(?=.)|[,:\]}]', re.DOTALL)
SPACED = re.compile(rb"\}[ \t\n\r]*+,[ \t\n\r]*+\{")
# Half a surrogate pair is valid JSON (RFC 8259 section 8.2) and json reads it; msgspec does not.
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

Split = Callable[[bytes], list[bytes]]

PIECE = 64 * 1024  # bytes decoded at once, to up to four times as many
SHORTEST = 64  # of how many parts of a window a run has at least one

ANY = msgspec.json.Decoder(msgspec.Raw)


class Text:
    """Where we are in a JSON text that comes in *windows*; no value may be longer than *limit*."""

    def __init__(self, windows: Iterator[bytes], limit: int) -> None:
        self.buffer = b""
        self.at = 0
        self.limit = limit
        self._windows = windows
        self._dropped = 0
        self._reach = inflation.WINDOW  # how far ahead a run is sought
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
        The boundary itself begins with the last character of the run and is not taken.  A boundary
        may stand inside a record: then a shorter run is sought, and longer ones again after it.
        """
        if self.offset < self._walk_until:
            return []
        window = inflation.WINDOW
        if self.at_hand < window and (run := self._run_into_next(boundary, split)):
            return run
        shortest = max(window // SHORTEST, 1)
        while self._reach >= shortest:
            end = self._guess(boundary, window) + 1
            if end and (run := split(_array(memoryview(self.buffer)[self.at : end]))):
                self.at = end
                self._reach = min(2 * self._reach, window)
                return run
            self._reach //= 4
        self._reach = shortest
        self._walk_until = self.offset + shortest
        return []

    def _guess(self, boundary: bytes, window: int) -> int:
        """Where the next run ends, if all is well; else what nobody who wrote the file foresaw."""
        if self._reach == window:
            return _last(boundary, self.buffer, self.at, self.at + window)
        ahead = self._reach - secrets.randbelow(self._reach // 2 + 1)
        return _last_spaced(self.buffer, self.at, self.at + ahead)

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
    return found if found >= 0 else _last_spaced(buffer, start, end)


def _last_spaced(buffer: bytes, start: int, end: int) -> int:
    end = min(end, len(buffer))
    for begin in (end - (end - start) // 16, start):
        spaced = deque(SPACED.finditer(buffer, begin, end), maxlen=1)
        if spaced:
            return spaced[0].start()
    return -1


def _array(*parts: memoryview) -> bytes:
    return b"".join((b"[", *parts, b"]"))


def end_of_value(buffer: bytes, start: int) -> int:
    """Where the JSON value that begins at *start* ends; 0 if its end is not at hand.

    It need not be a valid one: only strings and brackets are looked at.
    """
    if buffer.startswith(b'"', start):
        return _end_of_string(buffer, start)
    if buffer[start] in b"[{":
        return _end_of_brackets(buffer, start)
    scalar = SCALAR.match(buffer, start)
    return scalar.end() if scalar else 0


def _end_of_brackets(buffer: bytes, start: int) -> int:
    depth = 0
    at = start
    while True:
        for brackets in BRACKETS.finditer(buffer, at):
            at = brackets.end()
            if brackets.lastindex == 1:
                depth += at - brackets.start(1)
            elif brackets.lastindex == 2:
                depth -= at - brackets.start(2)
                if depth <= 0:
                    return at + depth
            else:
                break
        at = _end_of_string(buffer, at)
        if not at:
            return 0


def _end_of_string(buffer: bytes, start: int) -> int:
    """Where the string that begins at *start* ends; 0 if its end is not at hand."""
    at = start + 1
    while True:
        end = STRING.match(buffer, at).end()  # type: ignore[union-attr]
        if buffer.startswith(b'"', end):
            return end + 1
        if end == at:
            return 0
        at = end


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
    if len(value) <= PIECE:
        value.decode()
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(value), PIECE):
        decoder.decode(value[start : start + PIECE])
    decoder.decode(b"", final=True)
