"""The ways to read one object; all must have the same result."""

import gzip
from dataclasses import dataclass

import msgspec
import pytest

from trailcourier.errors import Fault
from trailcourier.records import LogLimits, inflation, open_log


@dataclass
class Reading:
    """One way to read an object, with windows of *window* bytes; 0 means the default size."""

    limits: LogLimits
    window: int = 0

    def __call__(self, data: bytes, **limits: int) -> list[bytes] | str:
        """Its records, or the reason and detail of the fault."""
        with pytest.MonkeyPatch.context() as patch:
            if self.window:
                patch.setattr(inflation, "WINDOW", self.window)
            try:
                log = open_log(data, msgspec.structs.replace(self.limits, **limits))
            except Fault as fault:
                return str(fault)
            found = [r for b in log.batches(records=3, size=10**6) for r in b.records]
            assert log.count == len(found)
            assert log.inflated == len(gzip.decompress(data) if data[:1] == b"\x1f" else data)
            return found


WAYS = {
    "held": Reading(LogLimits()),
    "streamed": Reading(LogLimits(small=0)),
    "streamed-in-windows-of-50": Reading(LogLimits(small=0), window=50),
    "streamed-in-windows-of-7": Reading(LogLimits(small=0), window=7),
    "streamed-byte-by-byte": Reading(LogLimits(small=0), window=1),
}


@pytest.fixture(params=WAYS)
def read(request) -> Reading:
    return WAYS[request.param]


@pytest.fixture
def every_reading() -> list[Reading]:
    return list(WAYS.values())
