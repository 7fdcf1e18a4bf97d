"""Chooses the reader of a bucket, for a source whose buckets have different credentials."""

from collections.abc import Callable, Mapping

from trailcourier.models import ObjectRef
from trailcourier.objects.opened import OpenedObject
from trailcourier.objects.reader import Reader


class Readers:
    """Reads each bucket with the reader of its glob in *by_glob*, else with *default*.

    *glob* returns the configured glob that matches a bucket, or an empty string.
    """

    def __init__(
        self, default: Reader, by_glob: Mapping[str, Reader], glob: Callable[[str], str]
    ) -> None:
        self._default = default
        self._by_glob = by_glob
        self._glob = glob

    def uses_source_credentials(self, bucket: str) -> bool:
        """Return whether *bucket* is read with the source's own credentials."""
        return not self._glob(bucket)

    def open(self, ref: ObjectRef) -> OpenedObject:
        """Open *ref* as ``Reader.open`` does."""
        return self._reader(ref.bucket).open(ref)

    def _reader(self, bucket: str) -> Reader:
        return self._by_glob.get(self._glob(bucket), self._default)
