import gzip
import json

from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.records.conftest import WAYS

SPACE = st.text(" \t\r\n", max_size=2)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(["eventVersion", "a", "Records"]) | st.text()


@st.composite
def written(draw, value):
    """Draw *value* as JSON, with any white space and escapes."""

    def space():
        return draw(SPACE)

    match value:
        case dict():
            members = [
                f"{space()}{draw(written(name))}{space()}:{draw(written(inner))}"
                for name, inner in value.items()
            ]
            return space() + "{" + ",".join(members) + (space() if not members else "") + "}"
        case list():
            parts = [draw(written(inner)) + space() for inner in value]
            return space() + "[" + ",".join(parts) + "]"
        case _:
            return space() + json.dumps(value, ensure_ascii=draw(st.booleans()))


@st.composite
def files(draw):
    records = draw(st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=8))
    parts = [draw(written(record)) for record in records]
    before, behind = draw(st.sampled_from([("", ""), ('"a":[{}],', ""), ("", ',"b":"]}"')]))
    separator = draw(st.sampled_from([",", ",", " , ", "\n,"]))
    text = f'{{{before}"Records":[{separator.join(parts)}]{behind}}}'
    return text.encode("utf-8", "surrogatepass"), [part.strip(" \t\r\n") for part in parts]


@given(files())
def test_any_log_is_split_byte_for_byte_in_every_way(file):
    text, parts = file
    try:
        text.decode()
    except UnicodeDecodeError:
        expected = None
    else:
        expected = [p.encode().replace(b"\r", b" ").replace(b"\n", b" ") for p in parts]

    for way, read in WAYS.items():
        found = read(gzip.compress(text))
        if expected is None:
            assert found.startswith("unparseable"), way
        else:
            assert found == expected, way
            assert list(map(json.loads, found)) == json.loads(text)["Records"]


@given(st.binary() | st.binary().map(lambda tail: b"\x1f\x8b\x08" + tail))
@example(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03")
def test_any_bytes_are_a_log_or_a_fault(data):
    found = [read(data) for read in WAYS.values()]

    assert all(each == found[0] for each in found)


@given(st.binary() | st.text('[]{}",:\\ \n1aReocrds').map(str.encode))
def test_any_gzip_of_any_bytes_is_a_log_or_a_fault(text):
    found = [read(gzip.compress(text)) for read in WAYS.values()]

    assert all(each == found[0] for each in found)


def strictly(text: bytes) -> list[object] | None:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        return dict(pairs) | ({"twice": True} if names.count("Records") > 1 else {})

    try:
        envelope = json.loads(text.decode(), parse_constant=refuse, object_pairs_hook=once)
    except ValueError:
        return None
    if not isinstance(envelope, dict) or "twice" in envelope:
        return None
    records = envelope.get("Records")
    sound = isinstance(records, list) and all(isinstance(record, dict) for record in records)
    return records if sound else None


@given(files(), st.data())
def test_a_changed_byte_is_judged_as_by_json(file, data):
    text = bytearray(file[0])
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 2))] = data.draw(
        st.sampled_from([b"", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\x00", b"\xff"])
    )
    expected = strictly(bytes(text))

    for way, read in WAYS.items():
        found = read(gzip.compress(text))
        assert isinstance(found, str) == (expected is None), way
        assert expected is None or list(map(json.loads, found)) == list(
            map(json.loads, map(json.dumps, json.loads(text)["Records"]))
        )
