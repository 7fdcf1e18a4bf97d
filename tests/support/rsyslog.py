"""A real rsyslogd that takes lines over TCP, plain or TLS, and keeps each byte for byte."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from tests.support import tls
from tests.support.programs import found, missing
from trailcourier.host import child_process

HOST = "127.0.0.1"
SECONDS = 20  # to start, or to write what it has read
MODULES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")

CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="2m" parser.escapeControlCharactersOnReceive="off"
       processInternalMessages="off" {secure})
module(load="imtcp" {driver})
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="kept" queue.type="direct") {{
    action(type="omfile" file="{folder}/kept" template="raw")
}}
input(type="imtcp" address="{host}" port="{port}" listenPortFileName="{folder}/port"
      supportOctetCountedFraming="off" ruleset="kept")
"""
SECURE = """
    defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{folder}/ca.pem"
    defaultNetstreamDriverCertFile="{folder}/server.pem"
    defaultNetstreamDriverKeyFile="{folder}/server.pem"
"""
DRIVER = 'streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon"'


class Rsyslog:
    """It writes a line before it takes the next one, so that little is in its memory."""

    def __init__(self, folder: Path, *, encrypted: bool = False) -> None:
        self._program = found("rsyslogd", "rsyslog")
        self.folder = folder
        self.encrypted = encrypted
        self.port = 0
        folder.mkdir()
        if encrypted:
            if not any(Path(each).rglob("lmnsd_gtls.so") for each in MODULES):
                missing("rsyslog's gtls driver", "rsyslog-gnutls")
            tls.authority(folder)

    def start(self) -> None:
        """Start it, the second time on the same port; return once it listens."""
        self._configure()
        with (self.folder / "log").open("ab") as log:
            self._process = child_process.start(
                [self._program, "-n", "-f", str(self.folder / "rsyslog.conf"), "-i", "NONE"],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._listens, self._log)

    def kill(self) -> None:
        child_process.kill(self._process)

    def freeze(self) -> None:
        """Let it read nothing from now on; ``kill`` still ends it."""
        child_process.send(self._process, signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def lines(self) -> list[bytes]:
        """Every line it has written so far."""
        kept = self.folder / "kept"
        data = kept.read_bytes() if kept.exists() else b""
        return data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]

    def written(self, records: Iterable[bytes]) -> list[bytes]:
        """Every line it has written, once all *records* are among them."""
        wanted = set(records)
        until(
            lambda: wanted.issubset(self.lines()),
            lambda: f"{len(wanted.difference(self.lines()))} of {len(wanted)} are not there",
        )
        return self.lines()

    def _listens(self) -> bool:
        port_file = self.folder / "port"  # which it does only of a port that it chose itself
        if not self.port and port_file.is_file():
            self.port = int(port_file.read_text() or 0)
        with socket.socket() as probe:
            return bool(self.port) and probe.connect_ex((HOST, self.port)) == 0

    def _configure(self) -> None:
        values = {"folder": self.folder, "host": HOST, "port": self.port}
        (self.folder / "rsyslog.conf").write_text(
            CONFIGURATION.format(
                secure=SECURE.format(**values) if self.encrypted else "",
                driver=DRIVER if self.encrypted else "",
                **values,
            )
        )

    def _log(self) -> str:
        return (self.folder / "log").read_text()


def until(true, why) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)
