"""The order of findings, what is told once, and that all of it ends."""

import threading
import time

import pytest

from trailcourier import doctor, settings
from trailcourier.doctor import Finding, Shared, order
from trailcourier.doctor.bounded import Known, start, within

SOURCE = '[sources.{name}]\nqueue_url = "{url}{name}"\nsinks = ["out"]\n'
URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/"
WRONG, OTHER = Finding("error", "TC203", "no such key"), Finding("error", "TC301", "no such queue")


@pytest.fixture
def shared(tmp_path):
    def made(**more):
        path = tmp_path / "trailcourier.toml"
        sources = "".join(SOURCE.format(name=name, url=URL) for name in ("prod", "dev"))
        path.write_text(f'{sources}[sinks.out]\ntype = "stdout"\n')
        return Shared(settings.load(path, {}), **more)

    return made


@pytest.fixture
def checks(monkeypatch):
    return lambda *checks: monkeypatch.setattr(doctor, "CHECKS", checks)


def test_sources_are_told_in_their_order_whoever_is_done_first(shared, checks):
    dev_is_done = threading.Event()

    def look(subject):
        if subject.name == "prod":
            assert dev_is_done.wait(10)
        yield Finding("ok", "TC001", subject.name)
        if subject.name == "dev":
            dev_is_done.set()

    checks(look)

    told = list(doctor.examine(shared(), ["prod", "dev"]))

    assert [each.source for each in told] == ["prod", "dev"]


def test_what_follows_from_an_error_is_no_error(shared, checks):
    def first(subject):
        yield WRONG

    @order.after("TC2", says="TC301")
    def second(subject):
        yield OTHER

    checks(first, second)

    _, found = [each.finding for each in doctor.examine(shared(), ["prod"])]

    assert (found.level, found.id) == ("unproved", "TC301")
    assert found.text == "not looked at: TC203 comes first"


def test_what_does_not_follow_is_looked_at(shared, checks):
    def first(subject):
        yield OTHER

    @order.after("TC2", says="TC401")
    def second(subject):
        yield Finding("ok", "TC401", "subscribed")

    checks(first, second)

    assert [each.finding.level for each in doctor.examine(shared(), ["prod"])] == ["error", "ok"]


def test_a_check_that_hangs_ends_with_the_time_there_is(shared, checks, monkeypatch):
    monkeypatch.setattr(doctor, "GRACE", 0.1)
    never = threading.Event()

    def look(subject):
        yield WRONG
        never.wait()

    checks(look)

    told = list(doctor.examine(shared(total=0.1), ["prod"]))
    never.set()

    assert [each.finding.id for each in told] == ["TC203", "TC003"]


def test_sources_that_hang_end_together(shared, checks, monkeypatch):
    monkeypatch.setattr(doctor, "GRACE", 2)
    never = threading.Event()

    def look(subject):
        yield Finding("ok", "TC001", subject.name)
        never.wait()

    checks(look)
    began = time.monotonic()

    told = list(doctor.examine(shared(total=0), ["prod", "dev"]))
    took = time.monotonic() - began
    never.set()

    assert [each.finding.id for each in told] == ["TC001", "TC003", "TC001"]
    assert took < 3.5  # each with a grace of its own took four


def test_a_check_that_goes_on_telling_ends_with_the_time_there_is(shared, checks, monkeypatch):
    monkeypatch.setattr(doctor, "GRACE", 0.5)
    read = threading.Event()

    def look(subject):
        for at in range(50):
            yield Finding("ok", "TC001", str(at))
            if read.wait(0.1):
                return

    checks(look)

    told = list(doctor.examine(shared(total=0), ["prod"]))
    read.set()

    assert told[-1].finding.id == "TC003"


def test_a_bug_in_a_check_is_not_swallowed(shared, checks):
    def look(subject):
        yield WRONG
        raise KeyError("a bug")

    checks(look)

    with pytest.raises(KeyError, match="a bug"):
        list(doctor.examine(shared(), ["prod"]))


def test_it_says_what_it_is_looking_at(shared, checks):
    looking = []
    checks(doctor.configuration.look)

    list(doctor.examine(shared(), ["prod"], looking.append))

    assert looking == ["prod: configuration"]


def test_work_within_its_time_gives_what_it_returns_or_raises():
    assert within(5, lambda: 3) == 3
    with pytest.raises(ValueError, match="none"):
        within(5, lambda: int("none"))


def test_work_that_takes_longer_is_left_to_itself():
    never = threading.Event()

    with pytest.raises(TimeoutError):
        within(0.05, never.wait)

    never.set()


def test_what_several_ask_for_at_once_is_asked_once():
    gate, asked, known = threading.Event(), [], Known()

    def ask():
        asked.append(1)
        assert gate.wait(10)
        return "answer"

    both = [start(lambda: known.get("question", ask)) for _ in range(2)]
    gate.set()

    assert [each.result(10) for each in both] == ["answer", "answer"]
    assert asked == [1]


def test_what_could_not_be_asked_fails_for_everybody():
    known = Known()

    for _ in range(2):
        with pytest.raises(ValueError, match="first"):
            known.get("question", lambda: int("first"))
