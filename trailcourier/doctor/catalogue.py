"""Every id there is, by what it is about: ``docs/doctor.md`` is rendered from it."""

from collections.abc import Mapping

from trailcourier.doctor import (
    bucket,
    configuration,
    hosts,
    identity,
    keeping,
    queue,
    reading,
    topic,
    trail,
    trouble,
)
from trailcourier.doctor.finding import Entries

GROUPS: Mapping[str, Entries] = {
    "The configuration, and doctor itself": configuration.TOLD,
    "The way out": hosts.TOLD | trouble.TOLD,
    "Credentials": identity.TOLD,
    "The queue": queue.TOLD | keeping.TOLD,
    "The way into the queue": topic.TOLD,
    "The trail": trail.TOLD,
    "The bucket": bucket.TOLD | reading.TOLD,
}

CATALOGUE: Entries = {id_: entry for group in GROUPS.values() for id_, entry in group.items()}
