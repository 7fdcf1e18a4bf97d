"""Programs that a bare machine lacks.

A test that needs one is skipped there by its name, and fails under ``make test-full``.
"""

import os
import shutil

import pytest

# read once, before the environment is cleaned
FULL = os.environ.get("TRAILCOURIER_FULL") == "1"


def found(name, package):
    """The path of the program *name*, which Debian has in *package*."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin")
    return path or missing(name, package)


def missing(name, package):
    """Leave out the test that runs: *name* is not here, which Debian has in *package*."""
    text = f"{name} is not here: apt-get install {package}"
    if FULL:
        pytest.fail(text)
    pytest.skip(text)
