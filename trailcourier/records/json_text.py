"""A forward reader of a long JSON text, which keeps only a part of it in memory."""

import codecs
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from trailcourier.errors import Fault
from trailcourier.records import inflation

# No group has a possessive quantifier: before 3.11.5 CPython counts an iteration that failed
# (gh-106052).  The bound 64 limits backtracking into the group.
SPACE = re.compile(rb"[ \t\n\r]*+")
PLAIN, ESCAPED = rb'[^"\\]*+', rb'(?:\\.[^"\\]*+)'
STRING = re.compile(PLAIN + ESCAPED + rb"{0,64}", re.DOTALL)
# Up to 64 strings and everything else up to the next brackets, then opening ones, closing ones, or
# neither: another string follows, perhaps one with very many escapes, or the buffer ends.
BRACKETS = re.compile(
    rb'[^"\[\]{}]*+(?:"' + PLAIN + rb'(?:"|' + ESCAPED + rb'{1,64}")[^"\[\]{}]*+){0,64}'
    rb"(?:([\[{]++)|([\]}]++)|)",
    re.DOTALL,
)
SCALAR = re.compile(rb'[^" \t\n\r,:\[\]{}]++(?=.)|[,:\]}]', re.DOTALL)
OBJECT_GAP = re.compile(rb"\}[ \t\n\r]*+,[ \t\n\r]*+\{")
# A lone surrogate is valid JSON (RFC 8259 section 8.2); json accepts it, msgspec does not.
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

Split = Callable[[bytes], list[bytes]]

CHUNK = 64 * 1024  # bytes decoded at once; the decoded text has up to four times as many
RUN_FRACTION = 64  # the shortest run is this fraction of a window

ANY_VALUE = msgspec.json.Decoder(msgspec.Raw)


class Text:
    """A position in a JSON text that comes in *windows*; no value may be longer than *limit*."""

    def __init__(self, windows: Iterator[bytes], limit: int) -> None:
        self.buffer = b""
        self.position = 0
        self.limit = limit
        self._windows = windows
        self._dropped = 0
        self._run_length = inflation.WINDOW  # how far ahead a run may end
        self._no_run_before = 0

    @property
    def offset(self) -> int:
        """Bytes of the whole text before the position."""
        return self._dropped + self.position

    @property
    def buffered(self) -> int:
        """Bytes in the buffer after the position."""
        return len(self.buffer) - self.position

    def unparseable(self, what: str) -> Fault:
        """Return the Fault for *what* is wrong at the position."""
        return Fault("unparseable", f"byte {self.offset} of the text: {what}")

    def peek(self) -> bytes:
        """Skip white space and return the next character, without taking it; empty at the end."""
        while True:
            self.position = SPACE.match(self.buffer, self.position).end()  # type: ignore[union-attr]
            if self.position < len(self.buffer):
                return self.buffer[self.position : self.position + 1]
            if not self._grow():
                return b""

    def expect(self, character: bytes, where: str) -> None:
        """Take *character*; raises Fault if another one follows."""
        if self.peek() != character:
            raise self.unparseable(f"expected {character.decode()!r} {where}")
        self.position += 1

    def take_value(self, what: str) -> bytes:
        """Take the next value and check it; *what* names it in errors."""
        if not self.peek():
            raise self.unparseable(f"the text ends before {what}")
        end = end_of_value(self.buffer, self.position)
        while not end and self.buffered <= self.limit and self._grow():
            end = end_of_value(self.buffer, self.position)
        if (end or len(self.buffer)) - self.position > self.limit:
            raise Fault(
                "too-large",
                f"byte {self.offset} of the text: {what} is longer than {self.limit} bytes",
            )
        if not end:
            raise self.unparseable(f"the text ends inside {what}")
        value = self.buffer[self.position : end]
        if problem := find_problem(value):
            raise self.unparseable(f"{what}: {problem}")
        self.position = end
        return value

    def take_run(self, boundary: bytes, split: Split) -> list[bytes]:
        """Take the elements up to the last *boundary* within a window's length.

        *split* gets the run as a JSON array and returns its elements, or nothing if it is no array.
        *boundary* begins with the last character of the run; the rest of it is not taken.  If it
        occurs inside a record, a shorter run is tried, and longer ones again later.  Returns
        nothing if no run is found.
        """
        if self.offset < self._no_run_before:
            return []
        window = inflation.WINDOW
        if self.buffered < window and (run := self._run_into_next(boundary, split)):
            return run
        shortest = max(window // RUN_FRACTION, 1)
        while self._run_length >= shortest:
            end = self._guess(boundary, window) + 1
            if end and (run := split(_as_array(memoryview(self.buffer)[self.position : end]))):
                self.position = end
                self._run_length = min(2 * self._run_length, window)
                return run
            self._run_length //= 4
        self._run_length = shortest
        self._no_run_before = self.offset + shortest
        return []

    def _guess(self, boundary: bytes, window: int) -> int:
        """Return a position where the next run may end.

        After a failed guess the length is random, so that no file can provoke further failures.
        """
        if self._run_length == window:
            return _find_last(boundary, self.buffer, self.position, self.position + window)
        ahead = self._run_length - secrets.randbelow(self._run_length // 2 + 1)
        return _find_last_gap(self.buffer, self.position, self.position + ahead)

    def _run_into_next(self, boundary: bytes, split: Split) -> list[bytes]:
        window = next(self._windows, b"")
        end = _find_last(boundary, window, 0, len(window)) + 1
        rest = memoryview(self.buffer)[self.position :]
        if end and (run := split(_as_array(rest, memoryview(window)[:end]))):
            self._replace_buffer(window, len(self.buffer), end)
            return run
        if window:
            self._replace_buffer(b"".join((rest, window)), self.position, 0)
        return []

    def _replace_buffer(self, buffer: bytes, dropped: int, position: int) -> None:
        self._dropped += dropped
        self.buffer = buffer
        self.position = position

    def _grow(self) -> bool:
        """Drop the bytes before the position and at least double the rest; False at the end.

        Doubling means that a value of many windows is scanned and copied at most twice in total.
        """
        rest = self.buffer[self.position :]
        more = []
        wanted = len(rest) or 1
        for window in self._windows:
            more.append(window)
            wanted -= len(window)
            if wanted <= 0:
                break
        if more:
            self._replace_buffer(b"".join([rest, *more] if rest else more), self.position, 0)
        return bool(more)


def _find_last(boundary: bytes, buffer: bytes, start: int, end: int) -> int:
    """Return the position of the last *boundary*, else of the last gap between objects; or -1."""
    found = buffer.rfind(boundary, start, end)
    return found if found >= 0 else _find_last_gap(buffer, start, end)


def _find_last_gap(buffer: bytes, start: int, end: int) -> int:
    end = min(end, len(buffer))
    for begin in (end - (end - start) // 16, start):
        gaps = deque(OBJECT_GAP.finditer(buffer, begin, end), maxlen=1)
        if gaps:
            return gaps[0].start()
    return -1


def _as_array(*parts: memoryview) -> bytes:
    return b"".join((b"[", *parts, b"]"))


def end_of_value(buffer: bytes, start: int) -> int:
    """Return the end of the JSON value at *start*; 0 if it is not in *buffer*.

    Looks only at strings and brackets; does not check that the value is valid.
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
    """Return the end of the string at *start*; 0 if it is not in *buffer*."""
    at = start + 1
    while True:
        end = STRING.match(buffer, at).end()  # type: ignore[union-attr]
        if buffer.startswith(b'"', end):
            return end + 1
        if end == at:
            return 0
        at = end


def find_problem(value: bytes) -> str:
    """Return why *value* is not one JSON value in UTF-8; empty if it is.

    msgspec checks what it skips as strictly as ``json.loads`` does, except UTF-8.
    """
    try:
        check_utf8(value)
        ANY_VALUE.decode(value)
    except UnicodeDecodeError as error:
        return f"not UTF-8 ({error.reason})"
    except RecursionError:
        return "nested too deeply"
    except msgspec.DecodeError as error:
        if not SURROGATE.search(value):
            return str(error)
        return find_problem(SURROGATE.sub(rb"\\u0041", value))
    return ""


def check_utf8(value: bytes) -> None:
    """Raise UnicodeDecodeError if *value* is not UTF-8; decodes it piece by piece."""
    if value.isascii():
        return
    if len(value) <= CHUNK:
        value.decode()
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(value), CHUNK):
        decoder.decode(value[start : start + CHUNK])
    decoder.decode(b"", final=True)
