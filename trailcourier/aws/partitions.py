"""AWS's partitions and regions, read from botocore's data without importing botocore."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec


class _Outputs(msgspec.Struct, frozen=True):
    suffix: str = msgspec.field(name="dnsSuffix")
    dualstack_suffix: str = msgspec.field(name="dualStackDnsSuffix")


class Partition(msgspec.Struct, frozen=True):
    """One partition; *outputs* has the suffixes of its hosts, *pattern* matches its regions."""

    name: str = msgspec.field(name="id")
    outputs: _Outputs
    pattern: str = msgspec.field(name="regionRegex")
    regions: dict[str, Any]

    @property
    def suffixes(self) -> tuple[str, str]:
        """The suffix of its hosts, and of its dual-stack hosts."""
        return self.outputs.suffix, self.outputs.dualstack_suffix

    def contains(self, region: str) -> bool:
        """Return whether *region* belongs to this partition, even if botocore does not list it."""
        return region in self.regions or re.match(self.pattern, region) is not None


class _File(msgspec.Struct, frozen=True):
    partitions: tuple[Partition, ...]


@cache
def partitions() -> tuple[Partition, ...]:
    """Return botocore's partitions; ``aws`` is the first."""
    spec = find_spec("botocore")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise ModuleNotFoundError("botocore is not installed", name="botocore")
    data = Path(folders[0], "data", "partitions.json").read_bytes()
    return msgspec.json.decode(data, type=_File).partitions
