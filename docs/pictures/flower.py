"""Take the pictures of Flower that the docs show: ``.venv/bin/python docs/pictures/flower.py``.

It runs ``trailcourier demo`` and looks at its Flower with Chromium, once more than a hundred
objects were carried; look at each picture before it is committed.  The demo runs under a host name
of its own where ``unshare`` may give it one, so that workers are not named for this machine.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.chromium import Page, page
from tests.support.fleet import until
from tests.support.flower import listens

HERE = Path(__file__).parent
WIDTH = 1440
APART = ("unshare", "--map-root-user", "--uts", "sh", "-c", 'hostname collector; exec "$@"', "sh")
DEMO = (sys.executable, "-m", "trailcourier", "demo", "--keep", "--files", "240", "--seed", "4")


@contextmanager
def demo(folder: Path) -> Iterator[Path]:
    """Run the demo; what it says goes to the file that is given."""
    said = folder / "said"
    apart = APART if shutil.which("unshare") and not subprocess.call([*APART, "true"]) else ()
    with said.open("wb") as log:
        process = subprocess.Popen(
            [*apart, *DEMO, "--directory", str(folder / "demo")],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**os.environ, "COLUMNS": "200"},
        )
    try:
        yield said
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def told(said: Path, pattern: str) -> tuple[str, ...]:
    """Wait until the demo says *pattern*."""
    until(lambda: re.search(pattern, said.read_text()), seconds=180, what=said.read_text)
    return re.search(pattern, said.read_text()).groups()


def rows(table: str) -> str:
    return f"[...document.querySelectorAll('#{table}-table tbody tr')]"


def take(seen: Page, name: str, height: int) -> None:
    path = HERE / f"flower-{name}.png"
    path.write_bytes(seen.picture(WIDTH, height))
    print(f"docs/pictures/{path.name}: {path.stat().st_size // 1024} kB")


def look(seen: Page, said: Path) -> None:
    """Look at the broker while objects wait there, and at all else when they were carried."""
    url, port, user, password = told(said, r"Flower: (\S+:(\d+))  user (\S+)  password (\S+)")
    until(lambda: listens("127.0.0.1", int(port)))
    seen.open(url.replace("://", f"://{user}:{password}@"))
    deadline = time.monotonic() + 40
    waiting = f"{rows('queue')}.some(x => x.id == 'objects' && +x.cells[1].innerText > 3)"
    while not seen.ask(waiting) and time.monotonic() < deadline:
        seen.open(f"{url}/broker")
    take(seen, "broker", 340)
    told(said, "Everything keeps running")
    seen.open(f"{url}/workers")
    seen.until(f"{rows('workers')}.length == 3")
    take(seen, "workers", 660)
    seen.open(f"{url}/tasks")
    seen.until(f"{rows('tasks')}.length == 15")
    take(seen, "tasks", 690)
    seen.ask("$('#tasks-table').DataTable().search('result:refused').draw()")
    refused = f"{rows('tasks')}.find(x => x.innerText.includes('refused: corrupt'))"
    seen.until(f"!!{refused}")
    seen.open(seen.ask(f"{refused}.querySelector('a[href*=\"/task/\"]').href"))
    take(seen, "task", 1060)


def main() -> None:
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("chromium is not here: apt-get install chromium")
    with (
        tempfile.TemporaryDirectory() as folder,
        demo(Path(folder)) as said,
        page(program, Path(folder) / "profile") as seen,
    ):
        look(seen, said)
        if seen.wrong:
            raise SystemExit("\n".join(seen.wrong))


if __name__ == "__main__":
    main()
