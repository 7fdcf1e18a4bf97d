"""The manifest of written records, and its comparison with the output files."""

import gzip
import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

EXAMPLES = 5  # problems that are named


class WrittenRecord(msgspec.Struct, frozen=True):
    """One record of a simulated file; *sha256* is of its bytes as a sink must get them.

    *filtered* says that the default filter drops it, *damaged* that its file cannot be read.
    """

    id: str
    sha256: str
    filtered: bool
    bucket: str
    key: str
    damaged: bool = False


class Tally(msgspec.Struct, frozen=True):
    """How many records had each outcome; *problems* names some that went wrong."""

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
        """Whether every record arrived unchanged, and nothing else did."""
        return not (self.lost or self.extra or self.altered)


class _DeliveredHead(msgspec.Struct, frozen=True):
    event: str = msgspec.field(name="eventID", default="")
    aggregate: str = msgspec.field(name="eventId", default="")


def written_record(record: bytes, event: Mapping[str, Any], bucket: str, key: str) -> WrittenRecord:
    """Return the manifest entry of *record*, whose fields are *event*."""
    return WrittenRecord(
        id=str(event.get("eventID") or event.get("eventId")),
        sha256=hashlib.sha256(one_line(record)).hexdigest(),
        filtered=dropped_by_default(event),
        bucket=bucket,
        key=key,
    )


def one_line(record: bytes) -> bytes:
    """Replace line breaks between the tokens of *record* with spaces; JSON strings have none."""
    return record.replace(b"\r", b" ").replace(b"\n", b" ")


def dropped_by_default(event: Mapping[str, Any]) -> bool:
    """Return whether the default filter drops *event*: a successful read by an AWS service.

    This does not use the filter, so that it can check the filter.
    """
    identity, source = event.get("userIdentity"), event.get("eventSource")
    never_dropped = {f"{name}.amazonaws.com" for name in ("sts", "kms", "secretsmanager", "ssm")}
    return (
        isinstance(identity, dict)
        and identity.get("type") == "AWSService"
        and event.get("readOnly") is True
        and event.get("managementEvent") is True
        and not event.get("errorCode")
        and source is not None
        and source not in never_dropped
    )


def save(records: Iterable[WrittenRecord], path: Path) -> None:
    """Write the manifest to *path*, one line of JSON for each record."""
    encode = msgspec.json.encode
    path.write_bytes(b"".join(encode(record) + b"\n" for record in records))


def load(path: Path) -> list[WrittenRecord]:
    """Read a manifest that ``save`` wrote."""
    decoder = msgspec.json.Decoder(WrittenRecord)
    return [decoder.decode(line) for line in path.read_bytes().splitlines()]


def compare(
    records: Collection[WrittenRecord], output: Path, refused: Collection[tuple[str, str]]
) -> Tally:
    """Compare *records* with the files below *output*; *refused* are (bucket, key) of objects.

    A record counts as refused only if its file is damaged and was refused.  It counts as lost if a
    good file was refused, or if a damaged file was not.
    """
    expected: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if not (record.filtered or record.damaged):
            expected[record.id][record.sha256] += 1
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for id_, sha256 in _delivered(output):
        found[id_][sha256] += 1
    unrefused = [r for r in records if r.damaged and (r.bucket, r.key) not in refused]
    counts: Counter[str] = Counter(lost=len(unrefused))
    problems = [f"lost, its file not refused: {r.id} of s3://{r.bucket}/{r.key}" for r in unrefused]
    for id_ in expected.keys() | found.keys():
        outcomes = _compare_event(expected.get(id_, Counter()), found.get(id_, Counter()))
        counts.update(outcomes)
        problems += [f"{name}: {id_}" for name in ("lost", "extra", "altered") if outcomes[name]]
    return Tally(
        written=len(records),
        delivered=counts["delivered"],
        filtered=sum(record.filtered and not record.damaged for record in records),
        refused=sum(record.damaged for record in records) - len(unrefused),
        duplicates=counts["duplicates"],
        lost=counts["lost"],
        extra=counts["extra"],
        altered=counts["altered"],
        problems=tuple(sorted(problems)[:EXAMPLES]),
    )


def _compare_event(expected: Counter[str], found: Counter[str]) -> Counter[str]:
    """Return the outcomes of the records with one event id, by the digests of their bytes."""
    delivered = (expected & found).total()
    missing = (expected - found).total()
    surplus = found - expected
    duplicates = sum(count for digest, count in surplus.items() if digest in expected)
    unknown = surplus.total() - duplicates
    altered = unknown if expected else 0
    return Counter(
        delivered=delivered,
        duplicates=duplicates,
        altered=altered,
        extra=unknown - altered,
        lost=max(0, missing - altered),
    )


def _delivered(output: Path) -> Iterator[tuple[str, str]]:
    """Yield the id and the digest of the bytes of every record in the output files."""
    decoder = msgspec.json.Decoder(_DeliveredHead)
    for path in sorted(output.rglob("*.ndjson*")):
        if any(part.startswith(".") for part in path.relative_to(output).parts):
            continue  # an unfinished attempt
        content = path.read_bytes()
        lines = gzip.decompress(content) if path.suffix == ".gz" else content
        for line in lines.split(b"\n"):
            if line:
                yield _id(decoder, line), hashlib.sha256(line).hexdigest()


def _id(decoder: "msgspec.json.Decoder[_DeliveredHead]", line: bytes) -> str:
    try:
        head = decoder.decode(line)
    except msgspec.DecodeError:
        return f"not an event: {line[:40]!r}"
    return head.event or head.aggregate
