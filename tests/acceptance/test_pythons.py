"""What reads and decides, and the ledger, on newer Pythons; ``test_bare.py`` has the oldest."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

ROOT = Path(__file__).parents[2]
COPIED = (
    "LICENSE", "Makefile", "README.md", "pyproject.toml",
    "beat", "requirements", "tasks", "tests", "trailcourier",
)  # fmt: skip
PARTS = [f"tests/unit/{part}" for part in ("records", "notifications", "filters", "ledger")]
TESTS = ["-m", "pytest", "-q", "-n", "0", *PARTS, "tests/unit/test_keys.py"]


def copied(folder: Path) -> Path:
    """A checkout in *folder*."""
    folder.mkdir()
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    return folder


def run(*argv: str | Path, folder: Path, seconds: float = 1200) -> str:
    ran = subprocess.run(
        argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=seconds, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-4000:]
    return ran.stdout


def interpreter(version: str) -> str:
    """A Python of *version*: on the path, pyenv's, or one that uv keeps."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    kept = Path.home() / ".local/share/uv/python"
    paths = [
        *filter(None, [shutil.which(f"python{version}")]),
        *sorted(pyenv.glob(f"versions/{version}.*/bin/python")),
        *sorted(kept.glob(f"cpython-{version}.*/bin/python{version}")),
    ]
    for path in map(str, paths):
        # a shim of pyenv's is there also where it leads nowhere
        done = subprocess.run([path, "-V"], capture_output=True, text=True, check=False)
        if done.stdout.startswith(f"Python {version}."):
            return path
    pytest.skip(f"no Python {version} is on the path, in {pyenv} or in {kept}")


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_on_a_newer_python(version, tmp_path):
    python = interpreter(version)
    checkout = copied(tmp_path / "checkout")

    run("make", f"PYTHON={python}", ".venv/.ready", folder=checkout)
    output = run(checkout / ".venv/bin/python", *TESTS, folder=checkout)

    assert run(checkout / ".venv/bin/python", "-V", folder=checkout).split()[1][:4] == version
    assert " passed" in output
