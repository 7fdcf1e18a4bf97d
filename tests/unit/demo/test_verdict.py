import io
import json

import msgspec
import pytest
from rich.console import Console

from trailcourier.demo import player
from trailcourier.demo.manifest import Tally
from trailcourier.demo.simulator import simulate
from trailcourier.demo.verdict import DemoVerdict, queue_problems

GOOD = Tally(
    written=9, delivered=5, filtered=3, refused=1, duplicates=2, lost=0, extra=0, altered=0
)


def test_all_records_delivered_and_nothing_else_in_the_queue_is_good():
    assert DemoVerdict(GOOD).good


@pytest.mark.parametrize("name", ["lost", "extra", "altered"])
def test_one_wrong_record_is_not_good(name):
    assert not DemoVerdict(msgspec.structs.replace(GOOD, **{name: 1})).good


def test_an_unexpected_message_in_the_queue_is_not_good():
    assert not DemoVerdict(GOOD, ("the queue holds more",)).good


def test_the_line_has_the_eight_numbers():
    assert json.loads(DemoVerdict(GOOD).line()) == {
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
    Console(file=out, width=100).print(DemoVerdict(GOOD).table())

    for name in json.loads(DemoVerdict(GOOD).line()):
        assert name in out.getvalue()


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (["a poison", "b cut"], []),
        (["a poison"], ["0 messages in the queue contain 'cut', not 1"]),
        (
            ["a poison", "b cut", "c good"],
            ["the queue holds a message that should be deleted: 'c good'"],
        ),
        (["a poison", "b cut", "b cut"], ["2 messages in the queue contain 'cut', not 1"]),
    ],
    ids=["right", "missing", "too-many", "twice"],
)
def test_the_queue_must_hold_what_must_stay_and_nothing_else(held, words):
    assert queue_problems(["poison", "cut"], held) == words


@pytest.mark.parametrize(("folder", "extra"), [("sink-test", 0), ("demo", 1)])
def test_records_of_sink_test_do_not_count_as_deliveries(tmp_path, folder, extra):
    class EmptyQueues:
        def queue_bodies(self, queue=""):
            return []

    (tmp_path / folder).mkdir()
    (tmp_path / folder / "tried.ndjson").write_text('{"eventID":"0b6e"}\n')

    verdict = player.judge(simulate(5, files=12), EmptyQueues(), tmp_path, [])

    assert verdict.tally.extra == extra
