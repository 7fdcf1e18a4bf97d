"""What all verbs share: options, exit statuses, and one line for an error."""

import os
import signal
import subprocess
import sys
import types

import pytest
import typer

import trailcourier
from trailcourier import cli
from trailcourier.cli.exits import Exit
from trailcourier.errors import Broken, ConfigError, Fault, Unreachable

HUNTER = "hunter2-correct-horse"
MAIN = [sys.executable, "-m", "trailcourier"]


@pytest.fixture
def verb(monkeypatch):
    """Add a verb ``act`` that runs the given function."""

    def add(act):
        module = types.ModuleType("act")
        module.app = typer.Typer()
        module.app.command("act")(act)
        monkeypatch.setitem(sys.modules, "trailcourier.cli.act", module)
        monkeypatch.setitem(cli.VERBS, "act", "Act.")

    return add


@pytest.fixture
def raising(verb):
    def add(error):
        def act() -> None:
            raise error

        verb(act)

    return add


ROWS = [
    (typer.Exit(), Exit.DONE, ""),
    (typer.Exit(Exit.NO), Exit.NO, ""),
    (typer.Abort(), Exit.NO, ""),
    (
        typer.BadParameter("no such thing."),
        Exit.USAGE,
        "Invalid value: no such thing; see",
    ),
    (Unreachable("broker: h:1 refused"), Exit.UNREACHABLE, "broker: h:1 refused"),
    (Fault("sink-unreachable", "h:1 refused"), Exit.UNREACHABLE, "sink-unreachable: h:1 refused"),
    (Broken("control ended"), Exit.BUG, "control ended"),
    (KeyError(HUNTER), Exit.BUG, "a bug: KeyError at test_main.py:"),
    (ConfigError(["f: a: wrong"]), Exit.CONFIG, "f: a: wrong"),
]


def test_the_last_output_of_a_process_is_printed_line_by_line(raising, capsys):
    raising(Broken("control ended. Its last words:\nno room left"))

    assert cli.execute(["act"]) == Exit.BUG
    assert capsys.readouterr().err.endswith("words:\ntrailcourier: no room left\n")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [pytest.param(*row, id=f"{row[1]}-{type(row[0]).__name__}") for row in ROWS],
)
def test_each_error_has_its_exit_status_and_one_line(raising, capsys, error, code, message):
    raising(error)

    assert cli.execute(["act"]) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"trailcourier: {message}" if message else "")
    assert err.count("\n") == (1 if message else 0)
    assert HUNTER not in err


def test_every_exit_status_is_tested():
    assert {code for _, code, _ in ROWS} == set(Exit)
    assert all(row.meaning for row in Exit)


def test_every_problem_of_a_configuration_is_printed(raising, capsys):
    raising(ConfigError(["f: a: wrong", "f: b: wrong"]))

    cli.execute(["act"])

    assert capsys.readouterr().err == "trailcourier: f: a: wrong\ntrailcourier: f: b: wrong\n"


@pytest.mark.parametrize("arguments", [["--debug", "act"], ["act", "--debug"]])
def test_the_traceback_of_a_bug_is_shown_on_demand(raising, capsys, arguments):
    raising(KeyError("what"))

    assert cli.execute(arguments) == Exit.BUG

    assert "Traceback" in capsys.readouterr().err


def test_a_verb_that_returns_exits_0(verb):
    verb(lambda: None)

    assert cli.execute(["act"]) == Exit.DONE


def test_an_interrupted_verb_exits_with_the_status_of_the_signal(raising, capsys):
    raising(KeyboardInterrupt())

    assert cli.execute(["act"]) == 128 + signal.SIGINT
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["chekc"],
            "No such command 'chekc'; did you mean check?; see `trailcourier --help`",
            id="verb",
        ),
        pytest.param(["--nope"], "No such option: --nope", id="option"),
        pytest.param(
            ["check", "--nope"],
            "No such option: --nope; see `trailcourier check --help`",
            id="option-of-a-verb",
        ),
        pytest.param(["check", "more"], "Got unexpected extra argument", id="argument"),
        pytest.param(["--config"], "Option '--config' requires an argument", id="no-value"),
    ],
)
def test_a_usage_error_is_64_and_one_line(capsys, arguments, message):
    assert cli.execute(arguments) == Exit.USAGE

    err = capsys.readouterr().err
    assert err.startswith(f"trailcourier: {message}")
    assert err.count("\n") == 1


def test_without_a_verb_the_help_is_shown(capsys):
    assert cli.execute([]) == Exit.USAGE

    out, err = capsys.readouterr()
    assert (out, "check" in err) == ("", True)


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["check", "-h"], ["check", "--help"]])
def test_help_is_plain_text_and_names_the_shared_options(capsys, arguments):
    assert cli.execute(arguments) == Exit.DONE

    out = capsys.readouterr().out
    assert "--config FILE" in out
    assert out.isascii()


@pytest.mark.parametrize("name", cli.VERBS)
def test_every_verb_has_its_own_help(capsys, name):
    assert cli.execute([name, "-h"]) == Exit.DONE
    assert capsys.readouterr().out.startswith(f"Usage: trailcourier {name} ")


def test_the_version_is_printed(capsys):
    assert cli.execute(["--version"]) == Exit.DONE
    assert capsys.readouterr().out == f"trailcourier {trailcourier.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["--config", "x.toml", "act"], ["act", "--config", "x.toml"], ["act", "--config=x.toml"]],
)
def test_config_may_stand_before_or_after_the_verb(verb, capsys, arguments):
    def act(ctx: typer.Context) -> None:
        print(ctx.obj.config)

    verb(act)

    assert cli.execute(arguments) == Exit.DONE
    assert capsys.readouterr().out == "x.toml\n"


def test_subcommands_take_the_shared_options_too(monkeypatch, capsys):
    module = types.ModuleType("group")
    module.app = typer.Typer()
    module.app.callback()(lambda: None)
    module.app.command("below")(lambda ctx: print(ctx.obj.config))
    module.app.registered_commands[0].callback.__annotations__ = {"ctx": typer.Context}
    monkeypatch.setitem(sys.modules, "trailcourier.cli.group", module)
    monkeypatch.setitem(cli.VERBS, "group", "Act below.")

    assert cli.execute(["group", "below", "--config", "x.toml"]) == Exit.DONE
    assert capsys.readouterr().out == "x.toml\n"


def test_the_program_ends_with_the_status(tmp_path):
    done = subprocess.run(
        [*MAIN, "check"], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )

    assert done.returncode == Exit.CONFIG
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("unbuffered", "code"),
    [pytest.param("", Exit.CONFIG, id="at-the-end"), pytest.param("1", 141, id="before-the-end")],
)
def test_a_closed_pipe_is_no_error(tmp_path, monkeypatch, unbuffered, code):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        [*MAIN, "check"], cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)

    assert (done.returncode, done.stderr) == (code, b"")


def test_a_closed_pipe_ends_a_verb_quietly(tmp_path):
    code = (
        "import sys, types, typer; from trailcourier import cli\n"
        "m = sys.modules['trailcourier.cli.act'] = types.ModuleType('act'); m.app = typer.Typer()\n"
        "@m.app.command()\n"
        "def act():\n"
        "    while True: print('x' * 1000)\n"
        "cli.VERBS['act'] = 'Act.'; sys.exit(cli.execute(['act']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()

    assert (process.wait(60), err) == (141, b"")


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        pytest.param(["--version"], {"boto3", "celery", "pydantic", "rich"}, id="version"),
        pytest.param(["-h"], {"boto3", "celery", "pydantic", "rich"}, id="help"),
        pytest.param(["check"], {"boto3", "botocore", "celery", "obstore", "redis"}, id="check"),
    ],
)
def test_a_verb_imports_no_more_than_it_needs(tmp_path, arguments, absent):
    code = (
        "import sys; from trailcourier import cli\n"
        f"cli.execute({arguments}); print(*{absent!r} & sys.modules.keys(), file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip

    assert done.stderr.strip() == ""
