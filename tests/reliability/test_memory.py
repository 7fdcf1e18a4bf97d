"""What an object worker takes of memory at most, whatever its files are like."""

import hashlib
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from isal import isal_zlib

from tests.reliability.conftest import FLEET
from tests.reliability.world import BUCKET, key

MIB = 1 << 20
MOST = 250_000_000  # bytes

PADDING = "abcdefgh" * 480  # a record of 4 kB


def alike(name: str, size: int) -> Iterator[bytes]:
    """Records of *size* bytes in all that compress very well."""
    for at in range(size // 4000):
        yield b'{"eventID":"%s-%d","p":"%s"}' % (name.encode(), at, PADDING.encode())


def unlike(name: str, size: int) -> Iterator[bytes]:
    """Records of *size* bytes in all that compress to about half."""
    noise = random.Random(name)
    for at in range(size // 4000):
        yield b'{"eventID":"%s-%d","p":"%s"}' % (
            name.encode(), at, noise.randbytes(1950).hex().encode(),
        )  # fmt: skip


class Large:
    """Log files too large to keep every record of in mind: the sum over all of them is kept."""

    def __init__(self, world):
        self.world = world
        self.sums: dict[str, str] = {}
        self.stored: dict[str, int] = {}

    def put(self, name: str, records: Iterable[bytes]) -> str:
        body, whole = bytearray(), hashlib.sha256()
        gzip = isal_zlib.compressobj(level=1, wbits=31)
        comma = b'{"Records":['
        for record in records:
            body += gzip.compress(comma + record)
            whole.update(record + b"\n")
            comma = b","
        body += gzip.compress(b"]}") + gzip.flush()
        self.sums[name], self.stored[name] = whole.hexdigest(), len(body)
        self.world.s3.put(BUCKET, key(name), bytes(body))
        self.world.files[name] = {}
        return name

    def check(self) -> None:
        """Assert that every file has its records, each once and in order."""
        found = {}
        for path in (self.world.folder / "out").rglob("*.ndjson"):
            with path.open("rb") as file:
                found[path.name.split("_")[4].partition(".")[0].lstrip("0")] = hashlib.file_digest(
                    file, "sha256"
                ).hexdigest()
        assert found == self.sums


def peak(world) -> int:
    """The most bytes that the object worker has held at once."""
    status = Path(f"/proc/{world.processes['objects-1'].process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_file_of_a_gibibyte_beside_ordinary_ones(make):
    world = make(
        receives=False, threads=8, source="max_inflated_mib = 2048", batch_records=1000, claim=30
    )
    world.outputs = {}
    large = Large(world)
    world.announce(large.put("giant", alike("giant", 1 << 30)))
    for at in range(40):
        names = [large.put(f"m{at}x{i}", unlike(f"m{at}x{i}", 800_000)) for i in range(10)]
        world.announce(*names)

    world.start(*FLEET)
    world.settled(seconds=400)
    took = peak(world)

    large.check()
    print(f"at most {took / 1e6:.0f} MB")
    assert took <= MOST


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("records", "size"),
    [
        pytest.param(unlike, 28 * MIB, id="as stored"),
        pytest.param(unlike, 15 * MIB, id="inflated"),
        pytest.param(alike, 200 * MIB, id="200 MiB inflated"),
    ],
)
def test_many_files_of_fifteen_mebibytes_at_once(make, records, size):
    world = make(receives=False, threads=16, batch_records=1000, claim=30)
    world.outputs = {}
    large = Large(world)
    for at in range(24):
        world.announce(large.put(f"f{at}", records(f"f{at}", size)))

    world.start(*FLEET)
    world.settled(seconds=400)
    took = peak(world)

    large.check()
    print(f"at most {took / 1e6:.0f} MB; as stored {large.stored['f0'] / MIB:.1f} MiB")
    assert took <= MOST
