"""The lowest versions that ``pyproject.toml`` allows: they exist, fit together, and work."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.conftest import OURS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2700)]

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DIRECT = [
    requirement
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for requirement in map(Requirement, group)
    if requirement.name != PROJECT["name"]  # an extra that includes another
]

UV = (sys.executable, "-m", "uv")
# without --universal: for this Python and this system
COMPILE = (
    *UV, "pip", "compile", "pyproject.toml", "--quiet", "--resolution", "lowest-direct",
    "--python", sys.executable, "--generate-hashes", "--no-emit-index-url", "--no-header",
    "--no-annotate", "--extra", "embedded", "--extra", "demo", "--group", "dev",
)  # fmt: skip
# test_project.py reads the checkout, not the libraries
UNIT = ("tests/unit", "--ignore", "tests/unit/test_project.py")
WHOLE_LINE = "tests/acceptance/test_demo.py::test_every_record_arrives_and_the_demo_ends_by_itself"
# read before the environment is cleaned: it says how this machine gets packages
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith((*OURS, "PYTEST_")) and name not in {"PYTHONPATH", "VIRTUAL_ENV"}
}


def run(*argv: str | Path, seconds: float = 600) -> str:
    """Run *argv* in the checkout, and return its output."""
    ran = subprocess.run(
        argv, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=seconds, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-8000:]
    return ran.stdout


def locked_without_direct() -> str:
    """Return ``requirements/dev.txt`` without the direct dependencies."""
    packages = re.split(r"(?m)^(?=\S)", (ROOT / "requirements/dev.txt").read_text())
    direct = {requirement.name for requirement in DIRECT}
    return "".join(each for each in packages if each.partition("==")[0] not in direct)


@pytest.fixture(scope="module")
def lowest(tmp_path_factory):
    """A lock whose direct dependencies are the lowest, and the others as in ``dev.txt``.

    uv keeps a version that it finds in its output file, unless another package refuses it.
    """
    path = tmp_path_factory.mktemp("lowest") / "lowest.txt"
    path.write_text(locked_without_direct())
    run(*COMPILE, "-o", path)
    return path


@pytest.fixture(scope="module")
def python(lowest):
    """The interpreter of a venv, outside the checkout, that holds what ``lowest`` locks."""
    venv = lowest.parent / "venv"
    interpreter = venv / "bin/python"
    run(*UV, "venv", "--quiet", "--no-project", "--python", sys.executable, venv)
    install = (*UV, "pip", "install", "--quiet", "--python", interpreter, "--no-deps")
    run(*install, "--compile-bytecode", "--require-hashes", "-r", lowest)
    run(*install, "--offline", "--no-cache", "--no-build-isolation", "--editable", ROOT)
    return interpreter


def test_each_bound_is_a_version_that_is_installed_when_the_lowest_is_asked_for(lowest):
    bounds = {
        requirement.name: Version(each.version)
        for requirement in DIRECT
        for each in requirement.specifier
        if each.operator == ">="
    }
    locked = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", lowest.read_text()))

    assert bounds.keys() == {requirement.name for requirement in DIRECT}
    assert {name: Version(locked[name]) for name in bounds} == bounds


def test_the_lowest_versions_fit_together(python):
    run(*UV, "pip", "check", "--python", python)


@pytest.mark.parametrize(
    "tests", [("-m", "not slow", *UNIT), (WHOLE_LINE,)], ids=["unit", "whole-line"]
)
def test_with_the_lowest_versions(python, tests):
    options = ("-q", "-n", "2", "-p", "no:cacheprovider")

    output = run(python, "-m", "pytest", *options, *tests, seconds=2400)

    assert " passed" in output
