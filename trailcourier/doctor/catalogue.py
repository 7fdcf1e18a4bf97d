"""Every id there is, by what it is about: ``docs/doctor.md`` is rendered from it."""

from collections.abc import Mapping

from trailcourier.doctor import (
    backlog,
    broker,
    bucket,
    configuration,
    direct,
    fleet,
    hosts,
    identity,
    keeping,
    queue,
    reading,
    sinks,
    topic,
    traffic,
    trail,
    trouble,
)
from trailcourier.doctor.finding import Entries

GROUPS: Mapping[str, Entries] = {
    "The configuration, and doctor itself": configuration.TOLD,
    "The way out": hosts.TOLD | trouble.TOLD,
    "Credentials": identity.TOLD,
    "The queue": queue.TOLD | keeping.TOLD | backlog.TOLD,
    "The way into the queue": topic.TOLD | direct.TOLD,
    "The trail": trail.TOLD,
    "The bucket": bucket.TOLD | reading.TOLD,
    "Files beside messages": traffic.TOLD,
    "The broker, and what the line says": broker.TOLD | fleet.TOLD,
    "The sinks": sinks.TOLD,
}

CATALOGUE: Entries = {id_: entry for group in GROUPS.values() for id_, entry in group.items()}
