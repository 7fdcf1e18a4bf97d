"""How one source connects to its buckets."""

from collections.abc import Callable

import msgspec

from trailcourier.aws.network import Network

Notify = Callable[[str, dict[str, str]], None]
"""Called with a log event's name and fields, for facts that an operator should know.

``bucket_region_differs`` (bucket, configured, actual), ``version_denied`` (bucket) and
``read_by_boto3`` (object, why).
"""


class BucketAccess(msgspec.Struct, frozen=True, kw_only=True):
    """The settings for access to the buckets; timeouts are seconds.

    *home* is the queue's region, in which a bucket of unknown region is looked up.  *owner* is the
    account that must own every bucket.  *read_timeout* bounds each read from the connection,
    *total_timeout* one request including its body.
    """

    home: str
    network: Network = Network()
    bucket_region: str | None = None
    strict_region: bool = False
    owner: str | None = None
    connect_timeout: float = 5
    read_timeout: float = 20
    total_timeout: float = 120
