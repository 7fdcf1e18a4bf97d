"""All ids of findings, in groups; ``docs/doctor.md`` is rendered from them."""

from collections.abc import Mapping

from trailcourier.doctor import (
    aws_findings,
    backlog,
    broker,
    bucket,
    configuration,
    direct,
    fleet,
    hosts,
    identity,
    message_lifetime,
    movement,
    queue,
    remaining,
    retention,
    sample_read,
    sinks,
    topic,
    traffic,
    trail,
)
from trailcourier.doctor.finding import Entries

GROUPS: Mapping[str, Entries] = {
    "The configuration, and doctor itself": configuration.ENTRIES | remaining.ENTRIES,
    "The network": hosts.ENTRIES | aws_findings.ENTRIES,
    "Credentials": identity.ENTRIES,
    "The queue": queue.ENTRIES | retention.ENTRIES | backlog.ENTRIES | message_lifetime.ENTRIES,
    "From the bucket to the queue": topic.ENTRIES | direct.ENTRIES,
    "The trail": trail.ENTRIES,
    "The bucket": bucket.ENTRIES | sample_read.ENTRIES,
    "Log files compared with messages": traffic.ENTRIES,
    "The broker and the fleet": broker.ENTRIES | fleet.ENTRIES | movement.ENTRIES,
    "The sinks": sinks.ENTRIES,
}

CATALOGUE: Entries = {id_: entry for group in GROUPS.values() for id_, entry in group.items()}
