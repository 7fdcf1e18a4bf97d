import string
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trailcourier import settings
from trailcourier.errors import ConfigError

URL = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"

NAMES = st.sampled_from(
    ["broker", "workers", "line", "sources", "sinks", "prod", "out", "url", "queue_url", "sinks",
     "type", "credentials", "kind", "buckets", "filter", "path", "queue_region", "state_dir", "\n"]
) | st.text(string.ascii_lowercase, max_size=3)  # fmt: skip
LEAVES = (
    st.none().map(lambda _: True)
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes()
    | st.sampled_from([URL, "stdout", "file", "env:X", "file:/x", "default", "out", "redis://h"])
)
TREES = st.dictionaries(
    NAMES,
    st.recursive(
        LEAVES,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=4),
        max_leaves=20,
    ),
    max_size=5,
)


@given(TREES)
@example({"sources": {"prod": {"queue_url": [], "queue_region": []}}})
@example({"sources": {"prod": {"sinks": {"a": 1}}}, "sinks": []})
@example({"broker": {"url": "redis://["}})
def test_any_tree_is_settings_or_a_config_error(tree):
    with pytest.MonkeyPatch.context() as patch, tempfile.NamedTemporaryFile() as file:
        patch.setattr(settings, "_read", lambda path: tree)

        problems = _problems(Path(file.name))

    assert all(line and "\n" not in line for line in problems)


def _problems(path: Path) -> tuple[str, ...]:
    try:
        settings.load(path)
    except ConfigError as error:
        return error.problems
    return ()
