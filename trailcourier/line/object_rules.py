"""Which announced objects a source reads, by their buckets and keys alone."""

import msgspec

from trailcourier import keys
from trailcourier.models import ObjectRef, Outcome


class ObjectRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one source.

    *buckets* are globs of the buckets that the source reads; empty allows all.  *globs* allow keys
    of other forms than CloudTrail's, and *unknown* decides about all other keys.
    """

    buckets: tuple[str, ...] = ()
    globs: tuple[str, ...] = ()
    unknown: keys.Unknown = "refuse"

    def judge(self, ref: ObjectRef, *, accept_any_form: bool) -> Outcome | None:
        """Return the outcome that bucket and key alone decide; None if the object must be read.

        *accept_any_form*: the key may have any form, as CloudTrail itself announced the object.
        """
        if not keys.is_allowed(ref.bucket, self.buckets):
            return Outcome("refused", "bucket-not-allowed")
        status, reason = keys.classify(
            ref.key, accept_any_form=accept_any_form, unknown=self.unknown, globs=self.globs
        )
        return None if status == "read" else Outcome(status, reason)
