"""Readers of one source whose buckets are read as different people."""

from collections.abc import Callable, Mapping

from trailcourier.models import ObjectRef
from trailcourier.objects.opened import Opened
from trailcourier.objects.reader import Reader


class Readers:
    """*own* has a reader for each glob of buckets; *glob* says which is a bucket's, if one is."""

    def __init__(
        self, others: Reader, own: Mapping[str, Reader], glob: Callable[[str], str]
    ) -> None:
        self._others = others
        self._own = own
        self._glob = glob

    def shares(self, bucket: str) -> bool:
        """Whether *bucket* is read with the credentials of the whole source."""
        return not self._glob(bucket)

    def open(self, ref: ObjectRef) -> Opened:
        """As ``Reader.open``."""
        return self._of(ref.bucket).open(ref)

    def _of(self, bucket: str) -> Reader:
        return self._own.get(self._glob(bucket), self._others)
