"""Put back faults that were found and mended, and break promises: each must be found again.

``make simulate ARGS=--put-back`` runs, for each patch, a copy of the tree with the patch in it.
The patches lie in ``put_back/``; of those in ``tests/mutants`` the ones that change what is
simulated are taken too.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.mutants import run as mutants

HERE = Path(__file__).parent / "put_back"
SECONDS = 3600
OF_MUTANTS = (
    "any-bucket", "breaker-never-closes", "counted-twice", "delete-at-receive",
    "delivered-before-the-rename", "delivered-is-not-remembered", "failed-delete-is-done",
    "filtered-is-not-counted", "lost-lease-is-kept", "newer-receipt-is-ignored", "no-fence",
    "no-maintenance-for-forwards", "no-maintenance-for-settles", "not-understood-is-deleted",
    "older-receipt-replaces-newer", "one-breaker-for-all", "one-object-is-enough",
    "outage-refuses", "poison", "progress-after-the-filter", "progress-by-batch",
    "progress-of-another-content", "redelivery-redoes-everything", "refused-is-done",
    "rejected-is-not-counted", "twelve-hours-ignored", "two-claims",
    "unforeseen-error-is-skipped", "visibility-not-extended", "waiting-is-lost",
)  # fmt: skip
_FOUND = re.compile(
    r"^seed (\d+)(?:, | could not be run \()([a-z]+)(?:\):|:\n  !) (.*)$", re.MULTILINE
)


class Patch(NamedTuple):
    """One way to break the line: what it *does*, and in which *profile* that shows, if in one."""

    name: str
    does: str
    profile: str
    hunks: tuple[mutants.Hunk, ...]


def load(path: Path) -> Patch:
    """Read a patch: ``name: value`` lines, then a unified diff."""
    head, _, diff = path.read_text().partition("--- a/")
    said = dict(line.partition(": ")[::2] for line in head.splitlines() if line)
    hunks = tuple(mutants.hunks(f"--- a/{diff}"))
    return Patch(path.stem, said["does"], said.get("profile", ""), hunks)


def patches(names: Sequence[str] = ()) -> list[Patch]:
    """Those called *names*, or all."""
    paths = [*sorted(HERE.glob("*.patch"))]
    paths += [mutants.HERE / f"{name}.patch" for name in OF_MUTANTS]
    return [load(path) for path in paths if not names or path.stem in names]


def put_back(names: Sequence[str], *, seeds: int, jobs: int, without: str = "") -> int:
    """Run each patch; 1 if one was not found."""
    missed = 0
    for patch in patches(names):
        began = time.perf_counter()
        try:
            found = _search(patch, seeds, jobs, without)
        except mutants.Stale as stale:
            found = ""
            print(f"{patch.name}: the patch no longer applies: {stale}")
        took = time.perf_counter() - began
        print(f"{patch.name:34} {took:6.0f} s  {found or 'NOT FOUND'}", flush=True)
        missed += not found
    print(f"{missed} not found")
    return 1 if missed else 0


def _search(patch: Patch, seeds: int, jobs: int, without: str) -> str:
    """The first seed that fails with *patch* in place, and how; empty for none."""
    with tempfile.TemporaryDirectory(prefix="put-back-") as made:
        root = Path(made)
        mutants.copy(root)
        mutants.apply(mutants.Mutant(patch.name, 0, patch.does, (), patch.hunks), root)
        argv = [sys.executable, "-m", "tests.simulation", "--seeds", str(seeds), "--jobs",
                str(jobs), "--most", "1", "--until-failure", "--profile", patch.profile,
                "--without", without]  # fmt: skip
        environment = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
        ran = subprocess.run(argv, cwd=root, env=environment, capture_output=True, text=True,
                             check=False, timeout=SECONDS)  # fmt: skip
    found = _FOUND.search(ran.stdout)
    if found is None and ran.returncode:
        raise RuntimeError(f"{patch.name}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    return f"seed {found[1]} ({found[2]}): {found[3]:.140}" if found else ""
