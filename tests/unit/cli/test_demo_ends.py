import pytest
import typer
from rich.console import Console

from trailcourier import demo as stage
from trailcourier.cli import demo
from trailcourier.demo.manifest import Tally


def test_a_demo_that_compared_nothing_exits_1(capsys):
    with pytest.raises(typer.Exit) as ended:
        demo._report(None, Console(stderr=True), "")

    output = capsys.readouterr()
    assert ended.value.exit_code == 1
    assert "before any record was compared" in output.err
    assert output.out == ""


def test_a_demo_whose_records_all_arrived_exits_0(capsys):
    demo._report(stage.DemoVerdict(Tally(3, 1, 1, 1, 0, 0, 0, 0)), Console(stderr=True), "")

    assert capsys.readouterr().out.startswith("{")
