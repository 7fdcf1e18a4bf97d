"""S3 as far as the line reads it: nginx with few files under very many keys, and one that is slow.

What a key holds is said by its name (bench.notices), so that no file is there for each key.
``python -m bench.bucket FOLDER SECONDS`` answers the same bytes as nginx does, *SECONDS* after
each request, as a bucket in a network does.
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

from bench.events import log_file
from bench.http import Reply, Request, answer, serve
from bench.notices import BUCKET, FOLDER, SEEDS, name
from trailcourier import child

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


class Missing(Exception):
    """A program that the bench needs is not on this machine."""


def program() -> str:
    """Where nginx is; raises Missing."""
    path = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        raise Missing("nginx is not here: apt-get install nginx-light")
    return path


def write_files(folder: Path, sizes: tuple[int, ...]) -> None:
    """Write what the keys hold: of each size a few files, with different events."""
    (folder / "files").mkdir(mode=0o755)
    for events in sizes:
        for seed in range(SEEDS):
            path = folder / "files" / f"{events:04}-{seed}.json.gz"
            path.write_bytes(log_file(events, seed))


@contextlib.contextmanager
def nginx(folder: Path, events: int) -> Iterator[tuple[str, int]]:
    """Serve *folder*, in which there are files with so many *events*; the address and the pid."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = pwd.getpwuid(os.getuid()).pw_name
    written = CONFIGURATION.format(
        folder=folder, port=port, bucket=BUCKET, user=f"user {user};" if os.getuid() == 0 else "",
        temporary=" ".join(f"{each}_temp_path {folder}/{each};" for each in TEMPORARY),
    )  # fmt: skip
    (folder / "nginx.conf").write_text(written)
    argv = [program(), "-p", str(folder), "-e", str(folder / "nginx.log"), "-c", "nginx.conf"]
    process = child.start(argv)
    try:
        url = f"http://127.0.0.1:{port}"
        _answers(f"{url}/{BUCKET}/{FOLDER}/{name(events, 0)}.json.gz", process, folder)
        yield url, process.pid
    finally:
        child.stop(process, grace=5)


def _answers(url: str, process: child.Process, folder: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                said = (folder / "nginx.log").read_text()[-500:]
                raise Missing(f"nginx does not serve the files: {error}: {said}") from error
            time.sleep(0.02)


def slow(folder: Path, seconds: float) -> None:
    """Serve *folder*, each answer so many *seconds* after its request."""
    files = {path.name: _answer(path) for path in (folder / "files").iterdir()}

    def serves(request: Request, reply: Reply) -> None:
        found = KEY.search(request.target)
        whole = files[f"{found[1]}-{found[2]}.json.gz"] if found else answer(b"no such key")
        asyncio.get_running_loop().call_later(seconds, reply, whole)

    serve(serves)


def _answer(path: Path) -> bytes:
    data = path.read_bytes()
    etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
    when = "Sat, 28 Nov 2026 20:10:00 GMT"
    return answer(data, "application/x-gzip", ETag=etag, Last_Modified=when)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("seconds", type=float)
    asked = parser.parse_args()
    slow(asked.folder, asked.seconds)
