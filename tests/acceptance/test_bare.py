"""A bare Debian with its own Python, venv and make alone: built there, checked there, tested there.

TRAILCOURIER_BARE=whole runs all of ``make test`` in it, and not only a good part.
"""

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROXIES
from tests.support import engine

ROOT = Path(__file__).parents[2]
RELEASE, OLDEST = "bookworm", "3.11.2"
HOME = "/root"
PARTS = (
    "tests/unit/records", "tests/unit/notifications", "tests/unit/filters", "tests/unit/ledger",
    "tests/unit/test_keys.py", "tests/integration/line",
)  # fmt: skip

# read before the environment is cleaned for the tests
WHOLE = os.environ.get("TRAILCOURIER_BARE") == "whole"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": HOME,
    # how this machine gets packages, which is its own matter
    **{name: value for name, value in os.environ.items()
       if name.startswith("PIP_") or name.lower() in PROXIES},
}  # fmt: skip
PIP = (".config/pip/pip.conf", ".pip/pip.conf")

# all of it ends with the namespace, and its mounts with it; below /dev are terminals and semaphores
ENTER = (
    'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" '
    '&& exec chroot "$1" sh -c "cd /src && $2"'
)
APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "sh")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(5400 if WHOLE else 2700)]


class Bare:
    """The smallest Debian in *root*, with a clone of this checkout in its ``/src``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        engine.unpack(root, RELEASE, "python3", "python3-venv", "make", seconds=900)
        # which a machine's installer writes
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        for name in PIP:
            if (Path.home() / name).is_file():
                kept = root / HOME.strip("/") / name
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path.home() / name, kept)
        subprocess.run(
            ["git", "clone", "--quiet", ROOT, root / "src"],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip

    def run(self, command: str, *, seconds: float = 1500) -> str:
        """Run *command* of a shell in there to its end; what it printed."""
        done = subprocess.run(
            [*APART, self.root, command], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout[-8000:]}"
        return done.stdout


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    if os.geteuid() != 0 or not all(map(shutil.which, ("debootstrap", "unshare", "git"))):
        pytest.skip("only root may lay a Debian, with debootstrap: apt-get install debootstrap git")
    if platform.freedesktop_os_release().get("VERSION_CODENAME") != RELEASE:
        pytest.skip(f"this machine knows no mirror of {RELEASE}")
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of a repository")
    bare = Bare(tmp_path_factory.mktemp("bare") / "root")
    bare.run("make .venv/.ready")
    yield bare
    shutil.rmtree(bare.root)


def test_it_is_bare(bare):
    assert bare.run("python3 -V") == f"Python {OLDEST}\n"
    for program in ("uv", "git", "ps", "redis-server", "valkey-server", "gcc"):
        assert bare.run(f"command -v {program} || echo none") == "none\n"


def test_make_check_passes(bare):
    assert "All checks passed!" in bare.run("make check")


def test_make_test_passes(bare):
    arguments = "" if WHOLE else f'ARGS="{" ".join(PARTS)}"'

    output = bare.run(f"make test {arguments}".strip(), seconds=5000 if WHOLE else 1500)

    assert " passed" in output
