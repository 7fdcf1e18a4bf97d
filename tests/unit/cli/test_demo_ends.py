import pytest
import typer
from rich.console import Console

from trailcourier import demo as stage
from trailcourier.cli import demo
from trailcourier.demo.manifest import Tally


def test_a_demo_that_compared_nothing_is_no_success(capsys):
    with pytest.raises(typer.Exit) as ended:
        demo._tell(None, Console(stderr=True), "")

    said = capsys.readouterr()
    assert ended.value.exit_code == 1
    assert "no record was compared" in said.err
    assert said.out == ""


def test_a_demo_whose_records_all_arrived_ends_well(capsys):
    demo._tell(stage.Verdict(Tally(3, 1, 1, 1, 0, 0, 0, 0)), Console(stderr=True), "")

    assert capsys.readouterr().out.startswith("{")
