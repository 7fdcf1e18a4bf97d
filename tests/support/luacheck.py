"""Check the scripts of the ledger with luacheck, each as Redis is sent it.

    python -m tests.support.luacheck

What it finds in a shared part is told once, with the scripts that it is about: a part's function
that one of them does not use belongs into a part of its own.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from trailcourier.ledger.script import Script, scripts

ROOT = Path(__file__).parents[2]
SECONDS = 60
_FOUND = re.compile(r"^.*?(\w+)\.lua:(\d+):\d+: (.*)$", re.MULTILINE)


def findings(checked: Sequence[Script]) -> list[str]:
    """What luacheck says of the scripts *checked*, by the file and line it stands in."""
    about: dict[str, list[str]] = defaultdict(list)
    lines = {script.name: list(_lines(script)) for script in checked}
    with tempfile.TemporaryDirectory() as made:
        for script in checked:
            (Path(made) / f"{script.name}.lua").write_text(script.text)
        argv = ["luacheck", "--config", str(ROOT / ".luacheckrc"), "--formatter", "plain", made]
        ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=SECONDS)
    for name, line, words in _FOUND.findall(ran.stdout):
        about[f"{lines[name][int(line) - 1]}: {words}"].append(name)
    if bool(ran.returncode) != bool(about):
        raise RuntimeError(f"luacheck: {ran.stdout}{ran.stderr}")
    return [f"{finding} (in {', '.join(names)})" for finding, names in sorted(about.items())]


def _lines(script: Script) -> Iterator[str]:
    for part in script.parts:
        for number, _ in enumerate(part.text.splitlines(), 1):
            yield f"trailcourier/ledger/scripts/{part.file}:{number}"


def main() -> int:
    """Say what is found; 1 where anything is."""
    if shutil.which("luacheck") is None:
        print("The ledger's Lua is not checked: there is no luacheck (apt-get install lua-check).")
        return 0
    found = findings(scripts())
    print(*(found or ["luacheck: no findings"]), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
