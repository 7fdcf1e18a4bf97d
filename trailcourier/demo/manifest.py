"""What was written, record by record, against what lies in the output files."""

import gzip
import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

EXAMPLES = 5  # of each problem that are named


class Written(msgspec.Struct, frozen=True):
    """One record: *sha256* is of its bytes as a sink must get them.

    *filtered* says that the default filter drops it, *damaged* that its file cannot be read.
    """

    id: str
    sha256: str
    filtered: bool
    bucket: str
    key: str
    damaged: bool = False


class Tally(msgspec.Struct, frozen=True):
    """What became of the records; *problems* names some of those that went wrong."""

    written: int
    delivered: int
    filtered: int
    refused: int
    duplicates: int
    lost: int
    extra: int
    altered: int
    problems: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether all that was written arrived as it was, and nothing else."""
        return not (self.lost or self.extra or self.altered)


class _Head(msgspec.Struct, frozen=True):
    event: str = msgspec.field(name="eventID", default="")
    aggregate: str = msgspec.field(name="eventId", default="")


def written(record: bytes, event: Mapping[str, Any], bucket: str, key: str) -> Written:
    """What the manifest says of *record*, whose fields are *event*."""
    return Written(
        id=str(event.get("eventID") or event.get("eventId")),
        sha256=hashlib.sha256(one_line(record)).hexdigest(),
        filtered=dropped_by_default(event),
        bucket=bucket,
        key=key,
    )


def one_line(record: bytes) -> bytes:
    """*record* with line breaks between its tokens as spaces; within a string JSON allows none."""
    return record.replace(b"\r", b" ").replace(b"\n", b" ")


def dropped_by_default(event: Mapping[str, Any]) -> bool:
    """Whether the default filter drops *event*: a read by an AWS service that succeeded.

    Written apart from the filter, to check it.
    """
    who, source = event.get("userIdentity"), event.get("eventSource")
    looked_at = {f"{name}.amazonaws.com" for name in ("sts", "kms", "secretsmanager", "ssm")}
    return (
        isinstance(who, dict)
        and who.get("type") == "AWSService"
        and event.get("readOnly") is True
        and event.get("managementEvent") is True
        and not event.get("errorCode")
        and source is not None
        and source not in looked_at
    )


def save(records: Iterable[Written], path: Path) -> None:
    """Write the manifest to *path*, a line of JSON for each record."""
    encode = msgspec.json.encode
    path.write_bytes(b"".join(encode(record) + b"\n" for record in records))


def load(path: Path) -> list[Written]:
    """Read a manifest that ``save`` wrote."""
    decoder = msgspec.json.Decoder(Written)
    return [decoder.decode(line) for line in path.read_bytes().splitlines()]


def compare(
    records: Collection[Written], output: Path, refused: Collection[tuple[str, str]]
) -> Tally:
    """Compare *records* with the files below *output*; *refused* are bucket and key of objects.

    A record counts as refused only if its file is damaged and was refused; a good file that was
    refused is a loss, as is a damaged one of which nobody said so.
    """
    expected: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if not (record.filtered or record.damaged):
            expected[record.id][record.sha256] += 1
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for id_, sha256 in _delivered(output):
        found[id_][sha256] += 1
    unsaid = [r for r in records if r.damaged and (r.bucket, r.key) not in refused]
    counts: Counter[str] = Counter(lost=len(unsaid))
    problems = [f"lost, its file not refused: {r.id} of s3://{r.bucket}/{r.key}" for r in unsaid]
    for id_ in expected.keys() | found.keys():
        one = _one(expected.get(id_, Counter()), found.get(id_, Counter()))
        counts.update(one)
        problems += [f"{what}: {id_}" for what in ("lost", "extra", "altered") if one[what]]
    return Tally(
        written=len(records),
        delivered=counts["delivered"],
        filtered=sum(record.filtered and not record.damaged for record in records),
        refused=sum(record.damaged for record in records) - len(unsaid),
        duplicates=counts["duplicates"],
        lost=counts["lost"],
        extra=counts["extra"],
        altered=counts["altered"],
        problems=tuple(sorted(problems)[:EXAMPLES]),
    )


def _one(expected: Counter[str], found: Counter[str]) -> Counter[str]:
    """What became of the records with one event id, by the digests of their bytes."""
    delivered = (expected & found).total()
    missing = (expected - found).total()
    again = sum(by for digest, by in (found - expected).items() if digest in expected)
    strange = (found - expected).total() - again
    altered = strange if expected else 0
    return Counter(
        delivered=delivered,
        duplicates=again,
        altered=altered,
        extra=strange - altered,
        lost=max(0, missing - altered),
    )


def _delivered(output: Path) -> Iterator[tuple[str, str]]:
    """Every record in the output files: its id and the digest of its bytes."""
    decoder = msgspec.json.Decoder(_Head)
    for path in sorted(output.rglob("*.ndjson*")):
        if any(part.startswith(".") for part in path.relative_to(output).parts):
            continue  # a try that was not finished
        content = path.read_bytes()
        lines = gzip.decompress(content) if path.suffix == ".gz" else content
        for line in lines.split(b"\n"):
            if line:
                yield _id(decoder, line), hashlib.sha256(line).hexdigest()


def _id(decoder: "msgspec.json.Decoder[_Head]", line: bytes) -> str:
    try:
        head = decoder.decode(line)
    except msgspec.DecodeError:
        return f"not an event: {line[:40]!r}"
    return head.event or head.aggregate
