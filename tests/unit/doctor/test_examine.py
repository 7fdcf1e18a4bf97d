"""The order of findings, what is told once, and that all of it ends."""

import threading
import time

import pytest

from trailcourier import doctor, settings
from trailcourier.doctor import Finding, Shared, prerequisites
from trailcourier.doctor.deadlines import run_within

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


def test_findings_come_in_the_order_of_sources_whichever_finishes_first(shared, checks):
    dev_is_done = threading.Event()

    def check(subject):
        if subject.name == "prod":
            assert dev_is_done.wait(10)
        yield Finding("ok", "TC001", subject.name)
        if subject.name == "dev":
            dev_is_done.set()

    checks(check)

    findings = list(doctor.examine(shared(), ["prod", "dev"]))

    assert [each.source for each in findings] == ["prod", "dev"]


def test_a_check_blocked_by_an_error_is_not_checked(shared, checks):
    def first(subject):
        yield WRONG

    @prerequisites.skip_after_errors("TC2", reports="TC301")
    def second(subject):
        yield OTHER

    checks(first, second)

    _, found = [each.finding for each in doctor.examine(shared(), ["prod"])]

    assert (found.level, found.id) == ("not-checked", "TC301")
    assert found.text == "not checked, because of TC203 above"


def test_a_check_that_no_error_blocks_runs(shared, checks):
    def first(subject):
        yield OTHER

    @prerequisites.skip_after_errors("TC2", reports="TC401")
    def second(subject):
        yield Finding("ok", "TC401", "subscribed")

    checks(first, second)

    assert [each.finding.level for each in doctor.examine(shared(), ["prod"])] == ["error", "ok"]


def test_a_check_that_hangs_ends_with_the_time_limit(shared, checks, monkeypatch):
    monkeypatch.setattr(doctor, "GRACE", 0.1)
    never = threading.Event()

    def check(subject):
        yield WRONG
        never.wait()

    checks(check)

    findings = list(doctor.examine(shared(total=0.1), ["prod"]))
    never.set()

    assert [each.finding.id for each in findings] == ["TC203", "TC003"]


def test_sources_that_hang_end_together(shared, checks, monkeypatch):
    monkeypatch.setattr(doctor, "GRACE", 4)
    never = threading.Event()

    def check(subject):
        yield Finding("ok", "TC001", subject.name)
        never.wait()

    checks(check)
    began = time.monotonic()

    findings = list(doctor.examine(shared(total=0), ["prod", "dev"]))
    took = time.monotonic() - began
    never.set()

    assert [each.finding.id for each in findings] == ["TC001", "TC003", "TC001"]
    assert took < 7.5  # each with a grace of its own took eight


def test_a_check_that_keeps_yielding_ends_with_the_time_limit(shared, checks, monkeypatch):
    monkeypatch.setattr(doctor, "GRACE", 0.5)
    read = threading.Event()

    def check(subject):
        for at in range(50):
            yield Finding("ok", "TC001", str(at))
            if read.wait(0.1):
                return

    checks(check)

    findings = list(doctor.examine(shared(total=0), ["prod"]))
    read.set()

    assert findings[-1].finding.id == "TC003"


def test_a_bug_in_a_check_is_not_swallowed(shared, checks):
    def check(subject):
        yield WRONG
        raise KeyError("a bug")

    checks(check)

    with pytest.raises(KeyError, match="a bug"):
        list(doctor.examine(shared(), ["prod"]))


def test_progress_names_the_source_and_the_check(shared, checks):
    progress = []
    checks(doctor.configuration.check_configuration)

    list(doctor.examine(shared(), ["prod"], progress.append))

    assert progress == ["prod: configuration"]


def test_a_call_within_its_time_returns_or_raises():
    assert run_within(5, lambda: 3) == 3
    with pytest.raises(ValueError, match="none"):
        run_within(5, lambda: int("none"))


def test_a_call_that_takes_longer_raises_a_timeout():
    never = threading.Event()

    with pytest.raises(TimeoutError):
        run_within(0.05, never.wait)

    never.set()
