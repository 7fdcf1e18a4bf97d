"""Write the pages of docs/ that are rendered from the code, or say which are out of step.

``python docs/render.py`` writes them, ``python docs/render.py --check`` compares.  A further page
is one function and one line in PAGES.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from trailcourier.dispositions import REASONS, Reason

DOCS = Path(__file__).parent
NOTICE = "<!-- Rendered from the code by `make docs`; edit the code instead. -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table; a ``|`` in a cell is escaped, a line break becomes a space."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(text) for text in line)} |" for line in lines)


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def dispositions() -> str:
    return f"""# What becomes of an object

An object whose every record was accepted by every sink, or counted as filtered, is **delivered**.
Any other has one of the reasons below, in the log, in the metrics and in `trailcourier status`.

- **skipped**: there is nothing to carry. Its message can be deleted.
- **parked**: an operator or time repairs it. Trailcourier keeps the message and tries the object
  again by itself, after 5 s at first and up to 15 min later on.
- **refused**: a fault of this one object. `trailcourier quarantine` keeps an entry, and the message
  is left to the queue's redrive policy.

A *breaker* that a reason counts towards opens after several objects failed in a row: the bucket's,
the sink's or the queue credential's. *Tries* says after how many a parked object is refused.

{table(("reason", "status", "breaker", "tries", "what it means", "what to do"), reasons())}
"""


def reasons() -> Iterable[Sequence[str]]:
    for name, reason in REASONS.items():
        yield f"`{name}`", reason.status, reason.breaker, tries(reason), reason.text, reason.advice


def tries(reason: Reason) -> str:
    if not reason.tries:
        return ""
    return (
        f"{reason.tries}, beside others that succeed"
        if reason.beside_success
        else f"{reason.tries}"
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "dispositions.md": dispositions,
}


def rendered() -> dict[Path, str]:
    """What each page should hold."""
    return {DOCS / name: f"{NOTICE}\n\n{page().strip()}\n" for name, page in PAGES.items()}


def stale(pages: Mapping[Path, str]) -> list[Path]:
    """The pages that are missing or hold something else."""
    return [path for path, text in pages.items() if not path.exists() or path.read_text() != text]


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Render the pages of docs/ that come from the code."
    )
    parser.add_argument("--check", action="store_true", help="compare only, exit 1 if one differs")
    check = parser.parse_args().check
    pages = rendered()
    out_of_step = stale(pages)
    for path in out_of_step:
        if not check:
            path.write_text(pages[path])
        print(
            f"docs/{path.name}", "is out of step with the code: make docs" if check else "written"
        )
    return 1 if check and out_of_step else 0


if __name__ == "__main__":
    sys.exit(main())
