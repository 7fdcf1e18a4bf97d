"""What ``setup`` prints: wrapped at the terminal, and whole everywhere else."""

import os
import sys

import pytest

from trailcourier.cli.setup import report
from trailcourier.provision import StepReport

STEP = StepReport(
    "queue", "created", "SQS queue trailcourier keeps messages for 14 days, encrypted"
)


@pytest.fixture
def printed(monkeypatch, capsys):
    def lines(line, columns):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: columns > 0, raising=False)
        size = os.terminal_size((columns or 80, 24))
        monkeypatch.setattr(report.shutil, "get_terminal_size", lambda: size)
        report.say(line)
        return capsys.readouterr().out.splitlines()

    return lines


def test_a_step_is_wrapped_below_its_summary(printed):
    first, *rest = printed(report.format_step(STEP), 40)

    assert first.startswith("created      queue: SQS queue")
    assert rest
    assert all(line.startswith(" " * 13) and len(line) <= 40 for line in rest)


def test_a_command_stays_one_line_to_copy(printed):
    command = "  aws sns subscribe --topic-arn arn:aws:sns:us-east-1:111122223333:trailcourier"

    assert printed(command, 40) == [command]


def test_without_a_terminal_nothing_is_wrapped(printed):
    line = report.format_step(STEP)

    assert printed(line, 0) == [line]
