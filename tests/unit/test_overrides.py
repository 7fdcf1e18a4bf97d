"""What ``tasks`` overrides of Celery and kombu is there, in the versions it was checked against."""

import importlib
import re
from importlib.metadata import version

import pytest

import tasks

SECTIONS = re.findall(r"(?m)^(celery|kombu) ([\d.]+)\n((?:    .*\n)+)", tasks.__doc__ or "")


def overridden():
    """Yield the dotted name of a module or class, and each name of it that is overridden."""
    for _, _, text in SECTIONS:
        for place, names in re.findall(r"(?m)^    ([\w.]+): (.*(?:\n {8}.*)*)", text):
            for name in names.split():
                yield pytest.param(place, name, id=f"{place}.{name}")


def found(place):
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError:
        module, _, name = place.rpartition(".")
        return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize(("package", "checked", "_text"), SECTIONS)
def test_the_overrides_were_checked_against_the_version_that_is_installed(package, checked, _text):
    assert version(package) == checked


@pytest.mark.parametrize(("place", "name"), list(overridden()))
def test_what_is_overridden_is_there(place, name):
    assert hasattr(found(place), name)
