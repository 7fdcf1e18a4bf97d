"""What the metrics count is what the ledger counts, object by object."""

from collections import Counter

import prometheus_client

from tests import announcements
from tests.integration.line.conftest import BUCKET, FOLDER, key


def told():
    """Every object that this process has counted, by what became of it as the ledger names it."""
    return Counter(
        {
            ":".join(
                filter(None, ("objects", each.labels["disposition"], each.labels["reason"]))
            ): (each.value)
            for metric in prometheus_client.REGISTRY.collect()
            for each in metric.samples
            if each.name == "trailcourier_objects_total" and each.labels["source"] == "prod"
        }
    )


def s3(*entries):
    """A notification of S3, about our bucket."""
    return announcements.s3(*entries).replace(announcements.BUCKET, BUCKET)


def test_each_object_is_counted_once_for_what_became_of_it(make):
    world = make(buckets=(BUCKET,))
    before = told()
    world.s3.put(BUCKET, key("bad"), b"\x1f\x8b broken")
    world.announce(world.put(1), key("bad"), f"{FOLDER.replace('CloudTrail', 'Config')}/x.json.gz")
    gone = announcements.entry(key(3), "ObjectRemoved:Delete")
    world.put(2)
    world.sqs.send("trail", s3(announcements.entry(key(2)), gone, gone))
    world.announce(key(1))
    world.run()
    world.announce(key(2))
    world.sqs.send("trail", announcements.own(key(4), bucket="somebody-elses"))
    for _ in range(3):  # a refused message comes again, its other objects with it
        world.run()
        world.pass_time(1000)

    counted = {name: by for name, by in world.count().items() if name.startswith("objects:")}
    named = counted.pop("objects:named")
    assert told() - before == counted
    assert sum(counted.values()) == named
    assert counted["objects:skipped:non-create"] == 2
    assert counted["objects:skipped:already-delivered"] == 2
