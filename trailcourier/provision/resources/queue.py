"""The collector's queue and its dead-letter queue."""

from typing import Any

from trailcourier.provision import policies
from trailcourier.provision.layout import TAG, Layout
from trailcourier.provision.resources.key import arn
from trailcourier.provision.steps import MERGED, Fields, Known, Statements, Step, caller

VISIBILITY = 600  # seconds; what the collector asks for at each receive anyway
RETENTION = 1_209_600  # seconds; 14 days, the longest there is, outlast a long outage
WAIT = 20  # seconds; a long poll for whoever receives without saying how long to wait
RECEIVES = 10  # an outage costs one receive in twelve hours
_GONE = frozenset({"NonExistentQueue", "QueueDoesNotExist"})


def _encryption(layout: Layout) -> dict[str, Any]:
    if layout.encrypted("queue"):
        return {"KmsMasterKeyId": arn(layout)}
    return {"SqsManagedSseEnabled": "true"}


def _queue(layout: Layout, *, id_: str, name: str, words: str, wanted: dict[str, Any]) -> Step:
    call = caller("sqs", layout.region)
    url = f"{id_.replace('-', '_')}_url"
    of_it = {"QueueUrl": Known(url)}
    known = {url: "QueueUrl"}
    return Step(
        id=id_,
        words=words,
        resource=layout.arn("sqs", name),
        look=(
            call("GetQueueUrl", known, QueueName=name),
            call("GetQueueAttributes", **of_it, AttributeNames=["All"]),
        ),
        # an emulator that does not keep who may redrive here is no reason to try for ever
        want=Fields("Attributes", wanted, lenient=("RedriveAllowPolicy",)),
        absent=_GONE,
        make=(
            call(
                "CreateQueue",
                known,
                QueueName=name,
                Attributes=wanted,
                tags={TAG: layout.name},
            ),
        ),
        mend=(call("SetQueueAttributes", **of_it, Attributes=wanted),),
        undo=(call("DeleteQueue", **of_it),),
        mark=call("ListQueueTags", **of_it),
    )


def dead_letters(layout: Layout) -> Step:
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [layout.queue_arn]}
    return _queue(
        layout,
        id_="dead-letter-queue",
        name=layout.dead,
        words=(
            f"SQS queue {layout.dead} takes the messages that were received {RECEIVES} times in "
            f"vain: an outage costs one receive in twelve hours, so only what nobody can process "
            "gets there"
        ),
        wanted={
            "MessageRetentionPeriod": str(RETENTION),
            "RedriveAllowPolicy": allowed,
            **_encryption(layout),
        },
    )


def queue(layout: Layout) -> Step:
    redrive = {
        "deadLetterTargetArn": layout.arn("sqs", layout.dead),
        "maxReceiveCount": RECEIVES,
    }
    return _queue(
        layout,
        id_="queue",
        name=layout.queue,
        words=(
            f"SQS queue {layout.queue} in {layout.region} keeps announcements for 14 days, "
            "encrypted, and hides one for 10 minutes while it is worked on"
        ),
        wanted={
            "VisibilityTimeout": str(VISIBILITY),
            "MessageRetentionPeriod": str(RETENTION),
            "ReceiveMessageWaitTimeSeconds": str(WAIT),
            "RedrivePolicy": redrive,
            **_encryption(layout),
        },
    )


def policy(layout: Layout) -> Step:
    call = caller("sqs", layout.region)
    sender = {"sns": "the topic", "s3": "the bucket", "eventbridge": "the rule"}
    of_it = {"QueueUrl": Known("queue_url")}
    put, clear = (
        call("SetQueueAttributes", **of_it, Attributes={"Policy": text}) for text in (MERGED, "")
    )
    return Step(
        id="queue-policy",
        words=f"the queue's policy lets {sender[layout.request.delivery]} send to it",
        resource=layout.queue_arn,
        look=(call("GetQueueAttributes", **of_it, AttributeNames=["Policy"]),),
        want=Statements("Attributes.Policy", policies.queue(layout)),
        absent=_GONE,
        make=(put,),
        undo=(put, clear),
        adds=True,
    )
