"""Every case of a file's content, read in every way."""

import gzip

import pytest

A = b'{"eventVersion":"1.11","eventID":"a"}'
B = b'{"eventVersion":"1.11","eventID":"b","resources":[{"x":1},{"x":2}]}'
C = b'{"eventVersion":"1.11","eventID":"c","note":"]}, {\\"Records\\": \\\\"}'
LOG = b'{"Records":[' + b",".join((A, B, C)) + b"]}"


def log(*records: bytes) -> bytes:
    return b'{"Records":[' + b",".join(records) + b"]}"


SOUND = {
    "as AWS writes it": (LOG, [A, B, C]),
    "no records": (b'{"Records":[]}', []),
    "no records, spaced": (b' { "Records" : [ ] } \r\n', []),
    "one record": (log(A), [A]),
    "empty records": (log(b"{}", b"{}"), [b"{}", b"{}"]),
    "space around everything": (
        b'\n{ "Records" :\t[ ' + A + b" ,\n" + B + b"\r\n, " + C + b" ] }\n\n",
        [A, B, C],
    ),
    "line breaks in a record": (log(b'{"a":\r\n1,\n\t"b":[]}'), [b'{"a":  1, \t"b":[]}']),
    "line breaks in the second record": (log(A, b'{\n"a":1}'), [A, b'{ "a":1}']),
    "a tab between tokens": (log(b'{"a":\t1}'), [b'{"a":\t1}']),
    "a name given twice": (log(b'{"a":1,"a":2}'), [b'{"a":1,"a":2}']),
    "members before": (b'{"v":{"Records":[1]},"n":-1.5e3,"Records":[' + A + b"]}", [A]),
    "members behind": (b'{"Records":[' + A + b'],"v":[null,"]}"],"n":null}', [A]),
    "Records inside a record": (log(b'{"Records":[{"a":1}]}', A), [b'{"Records":[{"a":1}]}', A]),
    "the name written with escapes": (b'{"\\u0052ec\\u006frds":[' + A + b"]}", [A]),
    "records that look like a boundary": (
        log(b'{"a":[{"a":1},{"a":2},{"a":3}]}', b'{"a":[[{"a":4},{"a":5}]]}'),
        [b'{"a":[{"a":1},{"a":2},{"a":3}]}', b'{"a":[[{"a":4},{"a":5}]]}'],
    ),
    "a boundary in a string": (
        log(b'{"a":1}', b'{"b":"},{\\"a\\":"}', b'{"a":2}'),
        [b'{"a":1}', b'{"b":"},{\\"a\\":"}', b'{"a":2}'],
    ),
    "escapes at their hardest": (log(b'{"\\\\":"\\\\\\"","x":"\\u005c\\/"}'), None),
    "raw unicode": (log('{"a":"ü€😀\x7f\u2028"}'.encode()), None),
    "half a surrogate pair": (log(b'{"a":"\\ud800 \\\\ud800"}', A), None),
    "halves of surrogate pairs in records apart": (
        b'{"Records":[ {"a":"\\ud800"}\t, {"b":[ {} ]},{"a":"\\udc00"} ,\r\n{},\n{"\\uDBFF":1}]}',
        [b'{"a":"\\ud800"}', b'{"b":[ {} ]}', b'{"a":"\\udc00"}', b"{}", b'{"\\uDBFF":1}'],
    ),
    "a number beyond every range": (log(b'{"a":1e999,"b":-0.0,"c":' + b"9" * 400 + b"}"), None),
    "integers longer than Python converts": (log(b'{"a":' + b"9" * 5000 + b"}"), None),
    "nested a hundred deep": (log(b'{"a":' + b"[" * 100 + b"]" * 100 + b"}"), None),
}

UNPARSEABLE = {
    "nothing": b"",
    "white space": b" \n",
    "null": b"null",
    "a scalar": b"3",
    "a string": b'"Records"',
    "an array": b"[" + A + b"]",
    "an empty object": b"{}",
    "no Records": b'{"records":[],"Record":[]}',
    "a digest file": b'{"awsAccountId":"111122223333","logFiles":[]}',
    "Records is null": b'{"Records":null}',
    "Records is an object": b'{"Records":{"0":{}}}',
    "Records is a string": b'{"Records":"[]"}',
    "Records twice": b'{"Records":[' + A + b'],"Records":[' + B + b"]}",
    "Records twice, once escaped": b'{"Records":[],"Re\\u0063ords":[]}',
    "Records twice, the other in front": b'{"Records":[],"a":1,"Records":null}',
    "a scalar record": log(A, b"1", B),
    "a null record": log(b"null"),
    "an array as record": log(A, b"[{}]"),
    "a string as record": log(b'"{}"', A),
    "a comma too many": log(A, b""),
    "a comma first": log(b"", A),
    "two commas": log(A, b"", B),
    "no comma": log(A + B),
    "a colon for a comma": log(A + b":" + B),
    "a comma behind the last member": b'{"Records":[],}',
    "a bracket too many": log(A) + b"]",
    "two envelopes": LOG + LOG,
    "two envelopes on two lines": LOG + b"\n" + LOG,
    "text behind": LOG + b" x",
    "a zero byte behind": LOG + b"\0",
    "cut inside a string": LOG[:-20],
    "cut inside the records": LOG[: LOG.index(B)],
    "cut before the last brace": LOG[:-1],
    "cut behind the first brace": b"{",
    "cut behind the name": b'{"Records"',
    "brackets that do not fit": log(b'{"a":[}', A),
    "a brace for a bracket": b'{"Records":[' + A + b"}}",
    "no name": b"{1:[]}",
    "no quotes": b"{Records:[]}",
    "single quotes": b"{'Records':[]}",
    "a control character in a string": log(b'{"a":"\x01"}'),
    "a line break in a string": log(b'{"a":"\n"}'),
    "a tab in a string": log(A, b'{"a":"\t"}'),
    "a form feed between tokens": log(b'{"a":\f1}'),
    "a form feed between records": log(A, b"\f" + B),
    "a vertical tab for a value": b'{"a":\x0b,"Records":[]}',
    "an unknown escape": log(b'{"a":"\\q"}'),
    "a short escape": log(b'{"a":"\\u12"}', A),
    "NaN": log(b'{"a":NaN}'),
    "Infinity": log(b'{"a":-Infinity}'),
    "NaN beside Records": b'{"a":NaN,"Records":[]}',
    "a leading zero": log(A, b'{"a":01}'),
    "a literal too long": log(b'{"a":truex}'),
    "a comment": log(b"/**/" + A),
    "not UTF-8 in a record": log(A, b'{"a":"\xff"}', B),
    "not UTF-8 in a name": log(b'{"\xc3\x28":1}'),
    "not UTF-8 beside Records": b'{"a":"\xff","Records":[]}',
    "a surrogate in UTF-8": log(b'{"a":"\xed\xa0\x80"}'),
    "cut UTF-8": log(b'{"a":"\xe2\x82"}'),
    "a byte-order mark": b"\xef\xbb\xbf" + LOG,
    "UTF-16": LOG.decode().encode("utf-16"),
    "nested too deeply": log(b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "XML": b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>',
    "half of gzip's magic": b"\x1f" + LOG,
}


@pytest.mark.parametrize("case", SOUND)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_records_are_returned_verbatim(case, pack, read):
    text, expected = SOUND[case]

    found = read(pack(text))

    assert b",".join(found) == text[12:-2] if expected is None else found == expected


@pytest.mark.parametrize("case", UNPARSEABLE)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_other_content_is_unparseable(case, pack, read):
    assert read(pack(UNPARSEABLE[case])).startswith("unparseable: ")


@pytest.mark.parametrize("text", UNPARSEABLE.values(), ids=UNPARSEABLE)
def test_every_way_of_reading_raises_the_same_fault(text, every_reading):
    faults = {read(gzip.compress(text)) for read in every_reading}

    assert len(faults) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(log(A, b"1"), "byte 50 of the text: record 1 is not an object", id="record"),
        pytest.param(
            log(A, b'{"a":tru}'), "byte 50 of the text: record 1: JSON is malformed: ", id="json"
        ),
        pytest.param(
            log(A, B)[:-9], "byte 50 of the text: the text ends inside record 1", id="cut"
        ),
        pytest.param(LOG + b"x", "text follows the end of the envelope", id="behind"),
        pytest.param(b"[]", "byte 0 of the text: expected '{' at the start", id="array"),
        pytest.param(b'{"a":1}', "there is no Records", id="no Records"),
    ],
)
def test_a_fault_says_what_is_wrong_and_where(text, message, read):
    assert message in read(text)
