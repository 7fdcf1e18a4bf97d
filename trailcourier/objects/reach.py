"""How the buckets of one source are reached."""

from collections.abc import Callable

import msgspec

from trailcourier.egress import Egress

Noticed = Callable[[str, dict[str, str]], None]
"""Told once about each thing an operator should know: an event's name and its fields.

``bucket_region_differs`` (bucket, configured, actual), ``version_denied`` (bucket) and
``read_by_boto3`` (object, why).
"""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator says about the way to the buckets; times are seconds.

    *home* is the queue's region: where a bucket is looked for first when nobody says where it is.
    *owner* is the account that must own a bucket.  *stall* bounds each read of the connection,
    *whole* one request with its body.
    """

    home: str
    egress: Egress = Egress()
    bucket_region: str | None = None
    strict_region: bool = False
    fips: bool = False
    dualstack: bool = False
    owner: str | None = None
    connect: float = 5
    stall: float = 20
    whole: float = 120
