"""The name of a breaker, by which the ledger, logs and displays know it."""

import msgspec

KINDS = ("queue", "credentials", "delete", "bucket", "kms", "sink")


class BreakerName(msgspec.Struct, frozen=True):
    """A breaker's name, taken apart.

    | text | breaker of |
    |---|---|
    | ``queue:SOURCE`` | receiving from a source's queue |
    | ``credentials:SOURCE`` | a source's credentials |
    | ``delete:SOURCE`` | deleting from a source's queue |
    | ``bucket:SOURCE:BUCKET`` | a whole bucket |
    | ``bucket:SOURCE:BUCKET/ACCOUNT`` | one account's files in a bucket |
    | ``kms:SOURCE:KEY`` | what one KMS key encrypts |
    | ``sink:NAME`` | a sink, which sources share |

    Each may end with ``@HOST``, where the fault may be one host's own.  *owner* is the source, or
    of a sink its name; *scope* is the bucket, with an account if any, or the ARN of the KMS key.
    """

    kind: str
    owner: str
    scope: str = ""
    host: str = ""

    @classmethod
    def parse(cls, text: str) -> "BreakerName":
        """Take *text* apart; a *kind* that is not in ``KINDS`` comes from another version."""
        name, _, host = text.partition("@")
        kind, _, rest = name.partition(":")
        owner, _, scope = rest.partition(":")
        return cls(kind, owner, scope, host)

    def __str__(self) -> str:
        name = ":".join(each for each in (self.kind, self.owner, self.scope) if each)
        return f"{name}@{self.host}" if self.host else name

    def on_host(self, host: str) -> "BreakerName":
        """Return the name of the breaker that *host* has of its own for the same thing."""
        return msgspec.structs.replace(self, host=host)


def queue_breaker(source: str) -> BreakerName:
    """Return the name of the breaker for receiving from the queue of *source*."""
    return BreakerName("queue", source)


def delete_breaker(source: str) -> BreakerName:
    """Return the name of the breaker for deleting from the queue of *source*."""
    return BreakerName("delete", source)


def credentials_breaker(source: str) -> BreakerName:
    """Return the name of the breaker for the credentials of *source*."""
    return BreakerName("credentials", source)


def bucket_breaker(source: str, scope: str) -> BreakerName:
    """Return the name of the breaker for a bucket, or BUCKET/ACCOUNT, of *source*."""
    return BreakerName("bucket", source, scope)


def kms_breaker(source: str, key: str) -> BreakerName:
    """Return the name of the breaker for what the KMS key with the ARN *key* encrypts."""
    return BreakerName("kms", source, key)


def sink_breaker(sink: str) -> BreakerName:
    """Return the name of the breaker for *sink*."""
    return BreakerName("sink", sink)
