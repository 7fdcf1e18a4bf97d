import io
import json

import msgspec
import pytest
from rich.console import Console

from trailcourier.demo import run
from trailcourier.demo.manifest import Tally
from trailcourier.demo.simulator import simulate
from trailcourier.demo.verdict import Verdict, left_wrong

GOOD = Tally(
    written=9, delivered=5, filtered=3, refused=1, duplicates=2, lost=0, extra=0, altered=0
)


def test_all_that_arrived_and_nothing_else_in_the_queue_is_good():
    assert Verdict(GOOD).good


@pytest.mark.parametrize("name", ["lost", "extra", "altered"])
def test_one_record_gone_wrong_is_not_good(name):
    assert not Verdict(msgspec.structs.replace(GOOD, **{name: 1})).good


def test_a_message_too_many_is_not_good():
    assert not Verdict(GOOD, ("the queue holds more",)).good


def test_the_line_has_the_eight_numbers():
    assert json.loads(Verdict(GOOD).line()) == {
        "written": 9,
        "delivered": 5,
        "filtered": 3,
        "refused": 1,
        "duplicates": 2,
        "lost": 0,
        "extra": 0,
        "altered": 0,
    }


def test_the_table_shows_every_number():
    out = io.StringIO()
    Console(file=out, width=100).print(Verdict(GOOD).table())

    for name in json.loads(Verdict(GOOD).line()):
        assert name in out.getvalue()


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (["a poison", "b cut"], []),
        (["a poison"], ["0 messages in the queue have 'cut', not 1"]),
        (
            ["a poison", "b cut", "c good"],
            ["the queue holds what should be settled: 'c good'"],
        ),
        (["a poison", "b cut", "b cut"], ["2 messages in the queue have 'cut', not 1"]),
    ],
    ids=["right", "missing", "too-many", "twice"],
)
def test_the_queue_must_hold_what_is_left_and_nothing_else(held, words):
    assert left_wrong(["poison", "cut"], held) == words


@pytest.mark.parametrize(("folder", "extra"), [("sink-test", 0), ("demo", 1)])
def test_what_was_tried_on_the_sink_meanwhile_is_no_delivery(tmp_path, folder, extra):
    class Emptied:
        def held(self, queue=""):
            return []

    (tmp_path / folder).mkdir()
    (tmp_path / folder / "tried.ndjson").write_text('{"eventID":"0b6e"}\n')

    verdict = run.judged(simulate(5, files=12), Emptied(), tmp_path, [])

    assert verdict.tally.extra == extra
