"""Every regular expression means the same in all Python versions since 3.11.0."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [path for part in ("beat", "bench", "docs", "tasks", "tests", "trailcourier")
         for path in sorted((ROOT / part).rglob("*.py")) if path != Path(__file__)]  # fmt: skip

# `(?:...)*+` and its like.  CPython before 3.11.5 counts an iteration of such a group that failed
# (gh-106052): Debian 12 has 3.11.2.  A constant may begin with the quantifier of another's group.
# Quantifiers of one character or one set are read alike, and so are atomic groups.
WRONG = re.compile(r"(?:^|(?<!\\)\))(?:[*+?]|\{[0-9]*,?[0-9]*\})\+(?!\+)")


def wrong(source: str) -> Iterator[str]:
    """Yield the constants of *source* that contain the construct."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            if WRONG.search(text):
                yield text


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_no_group_has_a_possessive_quantifier(path):
    assert list(wrong(path.read_text())) == []


@pytest.mark.parametrize(
    "pattern",
    ["'(?:ab?c)*+'", "b'(?:ab?c)++'", "r'(a|b)?+'", "'(?:ab){2,}+'", "'(?:' + X + '*+'",
     "f'({x})*+'", "f'(?:{x}y)++'"],
)  # fmt: skip
def test_the_construct_is_found(pattern):
    assert list(wrong(pattern))


@pytest.mark.parametrize(
    "pattern",
    [r"'[^a]*+'", r"'a++'", r"r'\)*+'", "'(?>.*?a)'", "'(?:a|b){0,64}'", "'C++'", "'(a)*'"],
)
def test_other_patterns_are_not_found(pattern):
    assert not list(wrong(pattern))
