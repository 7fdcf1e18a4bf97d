"""Compares the filter with an oracle: the same rules over dicts, slow and simple."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from trailcourier.filters import NO_KEEP_RULE, FilterRules, compile_rules

TEXTS = ["AWSService", "Root", "a", "ab", "*b", "a?", "*", ""]
SCALARS = st.sampled_from([*TEXTS, True, False, 0, 1, 1.0, 2**65])
ASKED = (
    SCALARS
    | st.lists(SCALARS, min_size=1, max_size=3)
    | st.fixed_dictionaries({"not": SCALARS | st.lists(SCALARS, min_size=1, max_size=3)})
    | st.fixed_dictionaries({"present": st.booleans()})
)
PATHS = st.sampled_from(["userIdentity.type", "userIdentity", "x", "x.y", "x.y.z", "eventVersion"])
RULES = st.lists(st.dictionaries(PATHS, ASKED, min_size=1, max_size=3), min_size=1, max_size=3)
VALUES = st.none() | SCALARS | st.lists(SCALARS, max_size=2)
NESTED = VALUES | st.dictionaries(
    st.sampled_from(["type", "y"]),
    VALUES | st.dictionaries(st.just("z"), VALUES, max_size=1),
    max_size=2,
)
AS_USUAL = st.fixed_dictionaries(
    {
        "eventVersion": st.just("1.11"),
        "userIdentity": st.fixed_dictionaries({"type": st.sampled_from(TEXTS)}),
    },
    optional={"x": NESTED},
)
RECORDS = AS_USUAL | st.fixed_dictionaries(
    {}, optional={"eventVersion": VALUES, "userIdentity": NESTED, "x": NESTED}
)


def glob_matches(glob: str, text: str) -> bool:
    if not glob:
        return not text
    if glob[0] == "*":
        return any(glob_matches(glob[1:], text[n:]) for n in range(len(text) + 1))
    return bool(text) and glob[0] in ("?", text[0]) and glob_matches(glob[1:], text[1:])


def same(asked, value) -> bool:
    if isinstance(asked, str) and isinstance(value, str):
        return glob_matches(asked, value)
    if isinstance(asked, bool) or isinstance(value, bool):
        return asked is value
    numbers = isinstance(asked, int | float) and isinstance(value, int | float)
    return numbers and asked == value


def holds(asked, record, path) -> bool:
    value = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(asked, dict) and "present" in asked:
        return (value is not None) == asked["present"]
    wanted = asked["not"] if isinstance(asked, dict) else asked
    found = any(same(w, value) for w in (wanted if isinstance(wanted, list) else [wanted]))
    scalar = value is not None and not isinstance(value, list | dict)
    return scalar and found != isinstance(asked, dict)


def oracle(drop, keep, record):
    for n, rule in enumerate(drop, 1):
        if all(holds(asked, record, path) for path, asked in rule.items()):
            return f"drop-{n}"
    kept = keep is None or any(all(holds(a, record, p) for p, a in r.items()) for r in keep)
    return None if kept else NO_KEEP_RULE


@given(RULES, st.none() | RULES, st.lists(RECORDS, max_size=6))
@example([{"userIdentity.type": "a"}], None, [{"userIdentity": {"type": "a"}}])
def test_rules_decide_as_the_oracle_does(drop, keep, records):
    tables = {"drop": drop} | ({} if keep is None else {"keep": keep})
    decision = compile_rules(FilterRules.model_validate(tables))

    found = decision([json.dumps(record, separators=(",", ":")).encode() for record in records])

    assert found == [oracle(drop, keep, record) for record in records]
