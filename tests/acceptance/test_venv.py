"""``requirements/venv.sh`` on the machines that people have."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

with_ensurepip = pytest.mark.skipif(
    not importlib.util.find_spec("ensurepip"), reason="this Python has no ensurepip"
)


# an interpreter that says of itself that it is 3.10, and is real otherwise; $1 is -c
OLD = f'exec "{sys.executable}" -c "import sys; sys.version_info = (3, 10, 14); $2"'


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose lock is empty, in a folder whose name is awkward."""
    requirements = tmp_path / "a 'checkout'" / "requirements"
    requirements.mkdir(parents=True)
    shutil.copy(ROOT / "requirements/venv.sh", requirements)
    (requirements / "dev.txt").touch()
    return requirements.parent


@pytest.fixture
def build(checkout):
    def build(python=sys.executable, **environment):
        return subprocess.run(
            [checkout / "requirements/venv.sh"],
            env={"PATH": os.environ["PATH"], "PYTHON": str(python), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return build


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def wheel(path, *requires):
    """Make the smallest wheel that needs *requires*, and return its line in a lock."""
    name = path.name.partition("-")[0]
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(f"{name}.py", "")
        info = f"{name}-1.dist-info"
        made.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{needs}"
        )
        made.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        made.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{name} @ {path.as_uri()} --hash=sha256:{digest}\n"


def usable(checkout):
    python = checkout / ".venv/bin/python"
    prefix = subprocess.check_output([python, "-c", "import sys; print(sys.prefix)"], text=True)
    return prefix.strip() == str(checkout / ".venv")


@with_ensurepip
def test_without_uv_pip_builds_it(build, checkout):
    done = build()

    assert done.returncode == 0, done.stderr
    assert usable(checkout)


def test_with_uv_uv_builds_it(build, checkout, tmp_path):
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")

    done = build(UV=uv, UV_CACHE_DIR=str(tmp_path / "cache"))

    assert done.returncode == 0, done.stderr
    assert usable(checkout)
    assert not (checkout / ".venv/bin/pip").exists()


@pytest.mark.parametrize("uv", [False, True], ids=["pip", "uv"])
@with_ensurepip
def test_only_the_lock_decides_what_is_installed(build, checkout, tmp_path, uv):
    """Asked to resolve, pip takes the newest `coverage[toml]` though `coverage` is pinned."""
    line = wheel(tmp_path / "one-1-py3-none-any.whl", "not-in-the-lock[extra]>=1")
    (checkout / "requirements/dev.txt").write_text(line)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    done = build(UV=shutil.which("uv", path=path) if uv else "")

    assert done.returncode == 0, done.stderr
    subprocess.run([checkout / ".venv/bin/python", "-c", "import one"], check=True, timeout=60)


def test_the_lock_leaves_nothing_out():
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")

    done = subprocess.run(
        [uv, "pip", "check", "--python", sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_an_old_python_is_named_with_what_to_do(build, tmp_path):
    old = program(tmp_path / "python3.10", OLD)

    done = build(python=old)

    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert str(old) in done.stderr


@with_ensurepip
def test_a_newer_python_is_found_behind_an_old_one(build, checkout, tmp_path):
    program(tmp_path / "python3", OLD)
    program(tmp_path / "python3.12", f'exec "{sys.executable}" "$@"')

    done = build(python="", PATH=f"{tmp_path}:/usr/bin:/bin")

    assert done.returncode == 0, done.stderr
    assert usable(checkout)


def test_a_python_without_ensurepip_says_what_to_install(build, checkout, tmp_path):
    (tmp_path / "ensurepip.py").write_text("raise ImportError")

    done = build(PYTHONPATH=str(tmp_path))

    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()
