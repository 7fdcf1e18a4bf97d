"""The wheel, as somebody gets it: built, installed, and run where there is no checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import trailcourier

ROOT = Path(__file__).parents[2]
PACKAGES = ("trailcourier", "tasks", "beat")
SEEN = """
import importlib.metadata, json, beat, tasks, trailcourier
print(json.dumps({
    "files": [module.__file__ for module in (trailcourier, tasks, beat)],
    "from": importlib.metadata.packages_distributions(),
    "version": importlib.metadata.version("trailcourier"),
}))
"""


def run(*command: str | Path, folder: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", folder=copy)
    (built,) = copy.glob("dist/*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder whose venv holds the wheel, and beside it sees the libraries of this one.

    They come by a path in a .pth file, whose own .pth files Python does not read: so an editable
    install beside them stays out of sight.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    uv = (sys.executable, "-m", "uv", "--offline", "--no-cache")
    run(*uv, "venv", "--python", sys.executable, "venv", folder=folder)
    python = folder / "venv/bin/python"
    run(*uv, "pip", "install", "--python", python, "--no-deps", wheel, folder=folder)
    (site,) = folder.glob("venv/lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def test_the_three_packages_come_from_the_wheel(installed):
    seen = json.loads(run(installed / "venv/bin/python", "-c", SEEN, folder=installed))

    assert [seen["from"][package] for package in PACKAGES] == [["trailcourier"]] * 3
    assert seen["version"] == trailcourier.__version__
    assert all(Path(file).is_relative_to(installed) for file in seen["files"])


def test_the_wheel_says_that_it_is_typed(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert "trailcourier/py.typed" in archive.namelist()


def test_the_wheel_holds_the_scripts_of_the_ledger(wheel):
    scripts = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("trailcourier/**/*.lua")}

    with zipfile.ZipFile(wheel) as archive:
        assert scripts <= set(archive.namelist())
    assert scripts


def test_the_wheel_holds_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}

    assert top == {*PACKAGES, f"trailcourier-{trailcourier.__version__}.dist-info"}


def test_the_command_says_its_version(installed):
    said = run(installed / "venv/bin/trailcourier", "--version", folder=installed)

    assert trailcourier.__version__ in said
