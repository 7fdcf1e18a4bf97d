"""The S3 stubs: nginx, and a slower server.

A key's name says what it holds (bench.log_files), so a few files serve very many keys.
``python -m bench.bucket FOLDER SECONDS`` sends the same bytes as nginx, *SECONDS* after each
request, as a bucket across a network does.
"""

import argparse
import asyncio
import contextlib
import hashlib
import os
import pwd
import re
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from bench.http import Reply, Request, response, serve
from bench.log_files import BUCKET, FOLDER, SEEDS, log_file, log_file_name
from trailcourier.host import child_process

CONFIGURATION = r"""
daemon off;
worker_processes 1;
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  {temporary}
  keepalive_requests 1000000;
  open_file_cache max=1000;
  sendfile on;
  etag on;
  server {{
    listen 127.0.0.1:{port};
    location ~ "^/{bucket}/.*_(\d\d\d\d)\d*(\d)\.json\.gz$" {{
      alias {folder}/files/$1-$2.json.gz;
      types {{ }}
      default_type application/x-gzip;
    }}
    location / {{ return 404; }}
  }}
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
KEY = re.compile(r"_(\d\d\d\d)\d*(\d)\.json\.gz$")


class MissingProgram(Exception):
    """A program that the bench needs is not installed on this machine."""


def nginx_program() -> str:
    """Return the path of nginx.  Raises MissingProgram."""
    path = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        raise MissingProgram("nginx is not installed: apt-get install nginx-light")
    return path


def write_files(folder: Path, sizes: tuple[int, ...]) -> None:
    """Write what the keys hold: SEEDS files of each size, with different events."""
    (folder / "files").mkdir(mode=0o755)
    for events in sizes:
        for seed in range(SEEDS):
            path = folder / "files" / f"{events:04}-{seed}.json.gz"
            path.write_bytes(log_file(events, seed))


@contextlib.contextmanager
def nginx(folder: Path, events: int) -> Iterator[tuple[str, int]]:
    """Serve *folder*, which holds files of that many *events*; yields the URL and the pid."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = pwd.getpwuid(os.getuid()).pw_name
    configuration = CONFIGURATION.format(
        folder=folder, port=port, bucket=BUCKET, user=f"user {user};" if os.getuid() == 0 else "",
        temporary=" ".join(f"{each}_temp_path {folder}/{each};" for each in TEMPORARY),
    )  # fmt: skip
    (folder / "nginx.conf").write_text(configuration)
    argv = [nginx_program(), "-p", str(folder), "-e", str(folder / "nginx.log"), "-c", "nginx.conf"]
    process = child_process.start(argv)
    try:
        url = f"http://127.0.0.1:{port}"
        _await_file(f"{url}/{BUCKET}/{FOLDER}/{log_file_name(events, 0)}.json.gz", process, folder)
        yield url, process.pid
    finally:
        child_process.stop(process, grace=5)


def _await_file(url: str, process: child_process.Process, folder: Path) -> None:
    """Wait until *url* is served.  Raises MissingProgram if nginx ends or 10 s have passed."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                log = (folder / "nginx.log").read_text()[-500:]
                raise MissingProgram(f"nginx does not serve the files: {error}: {log}") from error
            time.sleep(0.02)


def serve_slowly(folder: Path, seconds: float) -> None:
    """Serve *folder*; send each response that many *seconds* after its request."""
    files = {path.name: _file_response(path) for path in (folder / "files").iterdir()}

    def reply_later(request: Request, reply: Reply) -> None:
        found = KEY.search(request.target)
        file = files[f"{found[1]}-{found[2]}.json.gz"] if found else response(b"no such key")
        asyncio.get_running_loop().call_later(seconds, reply, file)

    serve(reply_later)


def _file_response(path: Path) -> bytes:
    data = path.read_bytes()
    etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
    modified = "Sat, 28 Nov 2026 20:10:00 GMT"
    return response(data, "application/x-gzip", ETag=etag, Last_Modified=modified)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("seconds", type=float)
    options = parser.parse_args()
    serve_slowly(options.folder, options.seconds)
