"""Readers of one source whose buckets are read as different people."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from trailcourier.models import ObjectRef
from trailcourier.objects.opened import Opened
from trailcourier.objects.reader import Reader


class Readers:
    """A reader for each glob of buckets, the first that matches, and one for all others."""

    def __init__(self, others: Reader, own: Sequence[tuple[str, Reader]]) -> None:
        self._others = others
        self._own = tuple(own)

    def shares(self, bucket: str) -> bool:
        """Whether *bucket* is read with the credentials of the whole source."""
        return self._of(bucket) is self._others

    def open(self, ref: ObjectRef) -> Opened:
        """As ``Reader.open``."""
        return self._of(ref.bucket).open(ref)

    def _of(self, bucket: str) -> Reader:
        found = (reader for glob, reader in self._own if fnmatchcase(bucket, glob))
        return next(found, self._others)
