"""Every id is told somewhere, explained, and tested."""

import re
from pathlib import Path

from trailcourier.doctor.catalogue import CATALOGUE, GROUPS
from trailcourier.doctor.configuration import unusable
from trailcourier.errors import ConfigError

ROOT = Path(__file__).parents[3]
ID = re.compile(r'"(TC\d{3})"')


def written(folder: str) -> set[str]:
    return {id_ for path in (ROOT / folder).rglob("*.py") for id_ in ID.findall(path.read_text())}


def test_no_id_is_explained_twice():
    assert sum(map(len, GROUPS.values())) == len(CATALOGUE)


def test_the_ids_of_a_group_begin_alike():
    for group in GROUPS.values():
        assert len({id_[:3] for id_ in group}) == 1


def test_every_id_in_the_code_is_explained():
    assert written("trailcourier/doctor") == set(CATALOGUE)


def test_every_id_is_in_a_test():
    assert set(CATALOGUE) - written("tests") == set()


def test_an_id_is_explained_in_sentences():
    for id_, entry in CATALOGUE.items():
        assert entry.question.endswith("?"), id_
        assert entry.meaning.endswith("."), id_
        assert entry.levels, id_


def test_each_problem_of_a_configuration_is_a_finding():
    found = unusable(ConfigError(["f: a: wrong", "f: b: wrong"]))

    assert [(each.level, each.id, each.text) for each in found] == [
        ("error", "TC001", "f: a: wrong"),
        ("error", "TC001", "f: b: wrong"),
    ]
