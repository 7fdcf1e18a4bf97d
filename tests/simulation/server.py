"""One real Valkey for a run of many seeds, reached over a Unix socket, in simulated time.

What the server takes from the real clock is taken from the run's instead: a few lines of Lua stand
in front of every script and answer TIME and the ledger's own clock, and keep the end of each key
that has one.  The scripts themselves run as they are.
"""

import hashlib
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hiredis
import redis

from trailcourier import broker, child

START_SECONDS = 30

SHIM = r"""
local CLOCK = tonumber(KEYS[#KEYS])
KEYS[#KEYS] = nil
local redis = (function(real)
  local ends, call = 'sim:ends', real.call
  for _, key in ipairs(call('ZRANGEBYSCORE', ends, '-inf', CLOCK)) do
    call('DEL', key)
    call('ZREM', ends, key)
  end
  local function ending(key, ms)
    if call('EXISTS', key) == 0 then return 0 end
    pcall(call, 'ZADD', ends, CLOCK + ms, key)
    return 1
  end
  local function set(key, value, ...)
    local given, plain, ms, at = {...}, {}, nil, 1
    while at <= #given do
      local word = string.upper(tostring(given[at]))
      if word == 'PX' or word == 'EX' then
        ms = tonumber(given[at + 1]) * (word == 'EX' and 1000 or 1)
        at = at + 2
      else
        plain[#plain + 1] = given[at]
        at = at + 1
      end
    end
    local answer = call('SET', key, value, unpack(plain))
    if answer then
      if ms then ending(key, ms) else call('ZREM', ends, key) end
    end
    return answer
  end
  local function shimmed(name, key, ...)
    name = string.upper(name)
    if name == 'TIME' then
      return {string.format('%d', math.floor(CLOCK / 1000)),
              string.format('%d', (CLOCK % 1000) * 1000)}
    elseif name == 'MGET' and string.sub(key, -6) == ':clock' then
      return {string.format('%d', CLOCK), false}
    elseif name == 'SET' then return set(key, ...)
    elseif name == 'PEXPIRE' then return ending(key, tonumber((...)))
    elseif name == 'EXPIRE' then return ending(key, tonumber((...)) * 1000)
    elseif name == 'DEL' or name == 'UNLINK' then call('ZREM', ends, key, ...)
    end
    if key == nil then return call(name) end
    return call(name, key, ...)
  end
  return setmetatable({call = shimmed}, {__index = real})
end)(redis)
"""

COMMAND = "return redis.call(unpack(ARGV))"

COPY = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  redis.call('COPY', key, key, 'DB', ARGV[1], 'REPLACE')
end
"""


class Server:
    """A Valkey process of one's own, and one connection to it, for whoever holds the baton."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="sim-"))
        path = self._folder / "s"
        _, binary = broker._server()
        argv = [binary, "--port", "0", "--unixsocket", str(path), "--save", ""]
        argv += ["--dir", str(self._folder), "--loglevel", "warning"]
        argv += ["--maxmemory-policy", "noeviction"]
        with (self._folder / "log").open("wb") as log:
            self._process = child.start(argv, stdout=log, stderr=log)
        self._socket = self._connected(path)
        self.full = self.refuses = False
        self._answers = hiredis.Reader()
        self._loaded: dict[str, str] = {}  # by the script's own hash, the hash with the shim
        self._command = self.load(COMMAND)

    def _connected(self, path: Path) -> socket.socket:
        deadline = time.monotonic() + START_SECONDS
        while True:
            made = socket.socket(socket.AF_UNIX)
            try:
                made.connect(str(path))
            except OSError:
                made.close()
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.01)
            else:
                return made

    def run(self, clock: int, *args: Any) -> Any:
        """Answer one command, at *clock* milliseconds; raises redis.ResponseError."""
        return self.run_all(clock, [args])[0]

    def run_all(self, clock: int, commands: list[tuple[Any, ...]]) -> list[Any]:
        """Answer several commands sent at once; raises the first error among the answers."""
        return self._ask([self._wrapped(clock, command) for command in commands])

    def plain(self, *command: Any) -> Any:
        """Answer a command of the simulation's own, outside of simulated time."""
        return self._ask([command])[0]

    def plain_all(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """As ``plain``, for several."""
        return self._ask(commands)

    def _ask(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        packed = [hiredis.pack_command(tuple(map(_text, command))) for command in commands]
        self._socket.sendall(b"".join(packed))
        answers = []
        while len(answers) < len(commands):
            answer = self._answers.gets()
            if answer is False:
                self._answers.feed(self._socket.recv(65536))
            else:
                answers.append(answer)
        for answer in answers:
            if isinstance(answer, hiredis.ReplyError):
                raise _error(str(answer))
        return answers

    def _wrapped(self, clock: int, command: tuple[Any, ...]) -> tuple[Any, ...]:
        name = str(command[0]).upper()
        if name == "EVALSHA":
            sha = self._loaded.get(str(command[1]))
            if sha is None:
                raise redis.exceptions.NoScriptError("NOSCRIPT No matching script.")
        elif name == "EVAL":
            sha = self.load(str(command[1]))
        else:
            return ("EVALSHA", self._command, 1, clock, *command)
        keys = int(command[2])
        at = 3 + keys
        return ("EVALSHA", sha, keys + 1, *command[3:at], clock, *command[at:])

    def load(self, text: str) -> str:
        """The hash of *text* behind the shim, which the server knows from now on."""
        own = hashlib.sha1(text.encode()).hexdigest()
        if own not in self._loaded:
            self._loaded[own] = self.plain("SCRIPT", "LOAD", SHIM + text).decode()
        return self._loaded[own]

    def forget_scripts(self) -> None:
        """Know no script any more, as after a restart."""
        self._loaded.clear()
        self._command = self.load(COMMAND)

    def empty(self) -> None:
        """Lose everything."""
        with self._willing():
            self.plain("FLUSHDB")

    def keep_copy(self) -> None:
        """Remember how everything is now."""
        with self._willing():
            self.plain("SELECT", 1)
            self.plain("FLUSHDB")
            self.plain("SELECT", 0)
            self.plain("EVAL", COPY, 0, 1)

    def restore_copy(self) -> None:
        """Let everything be as it was at the last ``keep_copy``."""
        with self._willing():
            self.plain("FLUSHDB")
            self.plain("SELECT", 1)
            self.plain("EVAL", COPY, 0, 0)
            self.plain("SELECT", 0)

    def fill(self, full: bool) -> None:
        """Have no memory left, or some again."""
        self.full = full
        self.plain("CONFIG", "SET", "maxmemory", 1 if full else 0)

    def refuse_writes(self, refuses: bool) -> None:
        """Have too few replicas to take writes, or enough again."""
        self.refuses = refuses
        self.plain("CONFIG", "SET", "min-replicas-to-write", 1 if refuses else 0)

    @contextmanager
    def _willing(self) -> Iterator[None]:
        """Do what is asked here, whatever clients are refused just now."""
        full, refuses = self.full, self.refuses
        if full:
            self.fill(full=False)
        if refuses:
            self.refuse_writes(refuses=False)
        yield
        if full:
            self.fill(full=True)
        if refuses:
            self.refuse_writes(refuses=True)

    def well(self) -> None:
        """Be as a new server is, but for what is in it."""
        if self.full:
            self.fill(full=False)
        if self.refuses:
            self.refuse_writes(refuses=False)

    def keys(self) -> list[bytes]:
        """Every key but the simulation's own, whatever its end."""
        return sorted(key for key in self.plain("KEYS", "*") if not key.startswith(b"sim:"))

    def close(self) -> None:
        self._socket.close()
        child.stop(self._process, grace=5)
        shutil.rmtree(self._folder, ignore_errors=True)


def _text(given: Any) -> Any:
    return given if isinstance(given, bytes | str) else str(given)


def _error(said: str) -> redis.RedisError:
    """The exception that redis-py makes of an error reply."""
    parser = redis._parsers.base.BaseParser
    return parser.parse_error(said)
