"""What our pytest settings promise, seen in a small project that uses them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEEP_ON = "--continue-on-collection-errors"

UNIT = """
import os, socket, warnings
import pytest

def test_a_warning():
    warnings.warn("careless")

def test_a_far_address():
    with pytest.raises(UserWarning, match="A test tried to use socket"):
        socket.create_connection(("192.0.2.1", 9), timeout=1)

def test_loopback():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()

def test_the_owners_profile():
    assert "AWS_PROFILE" not in os.environ
    assert "HTTPS_PROXY" not in os.environ
    assert "TRAILCOURIER_CONFIG" not in os.environ
"""
SKIPS = """
import pytest

def test_a_skip():
    pytest.skip("no rsyslog here")
"""
SKIPPED_MODULE = """
import pytest

pytest.skip("no engine here", allow_module_level=True)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "pyproject.toml", root)
    for folder in ("unit", "reliability"):
        (root / "tests" / folder).mkdir(parents=True)
        (root / "tests" / folder / "test_skips.py").write_text(SKIPS)
    shutil.copy(ROOT / "tests/conftest.py", root / "tests")
    (root / "tests/unit/test_unit.py").write_text(UNIT)
    (root / "tests/reliability/test_module.py").write_text(SKIPPED_MODULE)
    return root


def outcomes(project, **environment):
    """Run the small project's tests; say what became of each, by its name or its file's."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", KEEP_ON],
        cwd=project,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = re.findall(r"^tests/(\S+) (PASSED|FAILED|SKIPPED)", done.stdout, re.MULTILINE)
    closing = re.findall(
        r"^(ERROR|SKIPPED) .*tests/(reliability/test_module.py)", done.stdout, re.MULTILINE
    )
    return {**dict(found), **{name: outcome for outcome, name in closing}}


@pytest.fixture(scope="module")
def ordinary(project):
    owners = {"AWS_PROFILE": "mine", "HTTPS_PROXY": "x", "TRAILCOURIER_CONFIG": "y"}
    return outcomes(project, **owners)


@pytest.fixture(scope="module")
def full(project):
    return outcomes(project, TRAILCOURIER_FULL="1")


@pytest.mark.parametrize(
    ("test", "outcome"),
    [
        pytest.param("unit/test_unit.py::test_a_warning", "FAILED", id="a warning is an error"),
        pytest.param("unit/test_unit.py::test_a_far_address", "PASSED", id="no other machine"),
        pytest.param("unit/test_unit.py::test_loopback", "PASSED", id="this machine"),
        pytest.param("unit/test_unit.py::test_the_owners_profile", "PASSED", id="environment"),
        pytest.param("reliability/test_skips.py::test_a_skip", "SKIPPED", id="a skip"),
        pytest.param("reliability/test_module.py", "SKIPPED", id="a skipped module"),
    ],
)
def test_an_ordinary_run(ordinary, test, outcome):
    assert ordinary[test] == outcome


@pytest.mark.parametrize(
    ("test", "outcome"),
    [
        pytest.param("unit/test_skips.py::test_a_skip", "SKIPPED", id="elsewhere"),
        pytest.param("reliability/test_skips.py::test_a_skip", "FAILED", id="a reliability test"),
        pytest.param("reliability/test_module.py", "ERROR", id="a reliability module"),
    ],
)
def test_a_skip_in_a_full_run(full, test, outcome):
    assert full[test] == outcome
