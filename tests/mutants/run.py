"""Break each promise in a copy of the project, and see its tests fail.

    python tests/mutants/run.py [NAME ...]

Without names all of them.  Exits 1 if a mutant survives, no longer applies, or cannot be judged.
"""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COPIED = ("trailcourier", "tasks", "beat", "tests", "pyproject.toml")
AT_ONCE = 2
SECONDS = 90  # for one test; a mutant may as well hang
OPTIONS = ("-q", "-rfE", "--tb=line", "-p", "no:cacheprovider", "-p", "no:randomly")

# a patch that does not even run, in Python or in Lua, shows nothing
NO_CODE = re.compile(r"\b(SyntaxError|NameError|ImportError|ResponseError)\b")

KILLED, SURVIVED, BROKEN = "killed", "SURVIVED", "BROKEN"


class Stale(Exception):
    """A patch no longer fits the code."""


class Hunk(NamedTuple):
    """In *file*, *old* stands once and becomes *new*."""

    file: str
    old: str
    new: str


class Mutant(NamedTuple):
    """One way to break *promise*: what it *does*, and the tests that must fail then."""

    name: str
    promise: int
    does: str
    killers: tuple[str, ...]
    hunks: tuple[Hunk, ...]


class Verdict(NamedTuple):
    result: str
    seconds: float
    words: str = ""


def load(path: Path) -> Mutant:
    """Read a patch: ``name: value`` lines, then a unified diff."""
    head, _, diff = path.read_text().partition("--- a/")
    said = [line.partition(": ")[::2] for line in head.splitlines() if line]
    values = dict(said)
    killers = tuple(value for name, value in said if name == "killer")
    return Mutant(
        path.stem, int(values["promise"]), values["does"], killers, tuple(hunks(f"--- a/{diff}"))
    )


def mutants() -> list[Mutant]:
    return [load(path) for path in sorted(HERE.glob("*.patch"))]


def hunks(diff: str) -> list[Hunk]:
    """The hunks of a unified diff; where they stand is told by their context, not by number."""
    found: list[Hunk] = []
    file, old, new = "", "", ""
    for line in [*diff.splitlines(keepends=True), "@@ end"]:
        if line.startswith(("--- a/", "@@")) and old:
            found.append(Hunk(file, old, new))
            old, new = "", ""
        if line.startswith("--- a/"):
            file = line[len("--- a/") :].strip()
        elif not line.startswith(("+++ ", "@@")):
            old += line[1:] * (line[0] in " -")
            new += line[1:] * (line[0] in " +")
    return found


def apply(mutant: Mutant, root: Path) -> None:
    """Change the tree at *root*; raises Stale where the code is no longer what was patched."""
    for file, old, new in mutant.hunks:
        path = root / file
        text = path.read_text() if path.is_file() else ""
        if text.count(old) != 1:
            raise Stale(f"{file}: stands {text.count(old)} times:\n{old}")
        path.write_text(text.replace(old, new))


def copy(root: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / name)


class Told(NamedTuple):
    """What pytest said: its exit status, and the ids of tests that failed or met an error."""

    status: int
    failed: tuple[str, ...]
    errors: tuple[str, ...]
    words: str


def run(root: Path, tests: tuple[str, ...]) -> Told:
    """Run *tests* in the tree at *root*, on the code of that tree."""
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(dir=root) as made:
        options = (*OPTIONS, f"--timeout={SECONDS}", f"--basetemp={made}/t")
        argv = [sys.executable, "-m", "pytest", *options, *tests]
        ran = subprocess.run(
            argv, cwd=root, env=environment, capture_output=True, text=True, check=False,
            timeout=SECONDS * (1 + len(tests)),
        )  # fmt: skip
    told = [line.partition(" ")[::2] for line in ran.stdout.splitlines()]
    names = {
        kind: tuple(re.split(r" - ", rest, maxsplit=1)[0] for word, rest in told if word == kind)
        for kind in ("FAILED", "ERROR")
    }
    return Told(ran.returncode, names["FAILED"], names["ERROR"], ran.stdout + ran.stderr)


def judge(mutant: Mutant) -> Verdict:
    """Whether every test that should notice the mutant fails, and none is merely in the way."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as made:
        root = Path(made)
        copy(root)
        try:
            apply(mutant, root)
            told = run(root, mutant.killers)
        except Stale as stale:
            return Verdict(BROKEN, 0, f"the patch no longer applies: {stale}")
        except subprocess.TimeoutExpired:
            return Verdict(BROKEN, time.monotonic() - began, "did not end in time")
    seconds = time.monotonic() - began
    if told.errors or told.status not in (0, 1) or NO_CODE.search(told.words):
        return Verdict(BROKEN, seconds, told.words[-2000:])
    alive = [killer for killer in mutant.killers if not failed(killer, told.failed)]
    return Verdict(SURVIVED if alive else KILLED, seconds, "\n".join(alive))


def failed(test: str, ids: tuple[str, ...]) -> bool:
    """Whether *test*, or one case of it, is among *ids*."""
    return any(each == test or each.startswith(f"{test}[") for each in ids)


def unharmed(chosen: list[Mutant]) -> Verdict:
    """Run every test named on an unchanged copy: only what passes there can kill a mutant."""
    began = time.monotonic()
    tests = tuple(sorted({killer for mutant in chosen for killer in mutant.killers}))
    with tempfile.TemporaryDirectory(prefix="mutant-") as made:
        copy(Path(made))
        told = run(Path(made), tests)
    seconds = time.monotonic() - began
    return Verdict(KILLED, seconds) if told.status == 0 else Verdict(BROKEN, seconds, told.words)


def main(names: list[str]) -> int:
    every = {mutant.name: mutant for mutant in mutants()}
    if unknown := [name for name in names if name not in every]:
        print(f"no such mutant: {', '.join(unknown)}; there are {', '.join(every)}")
        return 2
    chosen = [every[name] for name in names or every]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        sound = pool.submit(unharmed, chosen)
        verdicts = list(zip(chosen, pool.map(judge, chosen), strict=True))
    print(f"{'promise':7} {'mutant':32} {'result':8} {'s':>5}  what it does")
    for mutant, verdict in sorted(verdicts, key=lambda each: each[0].promise):
        print(f"{mutant.promise:7} {mutant.name:32} {verdict.result:8} {verdict.seconds:5.1f}  "
              f"{mutant.does}")  # fmt: skip
    for mutant, verdict in verdicts:
        if verdict.result != KILLED:
            print(f"\n{mutant.name} {verdict.result}:\n{verdict.words}")
    if sound.result().result == BROKEN:
        print(f"\nthese tests fail on unchanged code:\n{sound.result().words[-3000:]}")
    killed = sum(verdict.result == KILLED for _, verdict in verdicts)
    print(f"\n{killed} of {len(verdicts)} mutants killed")
    return 0 if killed == len(verdicts) and sound.result().result == KILLED else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
