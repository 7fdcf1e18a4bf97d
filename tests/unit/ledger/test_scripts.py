"""The scripts as files: their headers, what they include, and what luacheck says of them."""

import re
import shutil
from pathlib import Path

import pytest

from tests.support import luacheck
from trailcourier.ledger import script
from trailcourier.ledger.redis_client import FREES
from trailcourier.ledger.script import Part, Script, assemble, scripts
from trailcourier.ledger.workers import SLACK

LEDGER = Path(script.__file__).parent
SCRIPTS = [pytest.param(each, id=each.name) for each in scripts()]
HEADER = re.compile(
    r"""
    (--\ \S.*\n)+                  # what it does
    --\n
    --\ KEYS\ {4}\S.*\n
    --\ ARGV\ {4}\S.*\n(--\ {9}\S.*\n)*
    --\ answer\ \ \S.*\n(--\ {9}\S.*\n)*
    --\ twice\ {3}\S.*\n(--\ {9}\S.*\n)*  # why it may run twice
    (--\ include:\ \w+(,\ \w+)*\n)*
    \n
    """,
    re.VERBOSE,
)


def made(text):
    return Script("made", text)


@pytest.mark.parametrize("each", SCRIPTS)
def test_a_script_begins_with_its_keys_arguments_answer_and_why_it_may_run_twice(each):
    assert HEADER.match(each.parts[-1].text)


def test_every_script_is_called_by_its_name_and_there_is_no_other():
    code = "".join(path.read_text() for path in LEDGER.glob("*.py"))
    called = re.findall(r'^(\w+) = Script\("(\w+)"\)$', code, re.MULTILINE)

    assert {name for _, name in called} == {each.name for each in scripts()}
    assert all(constant == name.upper() for constant, name in called)


def test_every_shared_part_is_included_somewhere():
    included = {part.file for each in scripts() for part in each.parts}

    assert {f"shared/{path.name}" for path in (LEDGER / "scripts/shared").iterdir()} <= included


def test_a_part_appears_once_after_the_parts_it_includes():
    files = [part.file for part in assemble(Part("made.lua", "-- include: is_ahead, clock\n"))]

    assert files == ["shared/fleet.lua", "shared/clock.lua", "shared/is_ahead.lua", "made.lua"]


def test_a_part_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError, match=r"no-such\.lua"):
        assemble(Part("made.lua", "-- include: no-such\n"))


def test_a_script_that_does_not_use_the_time_does_not_ask_for_it():
    asking = {each.name for each in scripts() if "'TIME'" in each.text}

    assert {each.name for each in scripts() if re.search(r"\bNOW\b", each.text)} == asking
    assert "count_sums" not in asking


def test_the_slack_of_a_heartbeat_is_the_same_in_both_languages():
    (part,) = (part for part in assemble(Part("", "-- include: heartbeat_slack\n")) if part.file)

    assert f"local SLACK = {SLACK * 1000}\n" in part.text


def test_the_line_for_a_full_broker_is_the_same_in_both_languages():
    (part,) = (part for part in assemble(Part("", "-- include: runs_when_full\n")) if part.file)

    assert part.text.endswith(f"\n\n{FREES}")


@pytest.mark.skipif(shutil.which("luacheck") is None, reason="there is no luacheck here")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("-- include: has_digest\n",
                     [r"shared/has_digest\.lua:\d+: .*has_digest.* \(in made\)"],
                     id="a part that is not used"),
        pytest.param("\nreturn NOW\n", [r"made\.lua:2: .*undefined variable 'NOW'"],
                     id="a part that is missing"),
        pytest.param("return os.time()\n", [r"undefined variable 'os'"], id="not in the sandbox"),
        pytest.param("-- include: clock\nreturn NOW\n", [], id="nothing"),
    ],
)  # fmt: skip
def test_luacheck_looks_at_a_script_with_what_it_includes(text, found):
    findings = luacheck.findings([made(text)])

    assert len(findings) == len(found)
    assert all(re.search(wanted, line) for wanted, line in zip(found, findings, strict=True))
