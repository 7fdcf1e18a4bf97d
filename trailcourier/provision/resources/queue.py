"""The steps for the collector's queue and its dead-letter queue."""

from typing import Any

from trailcourier.provision import policies
from trailcourier.provision.documents import Statements
from trailcourier.provision.names import Layout
from trailcourier.provision.resources.key import key_arn
from trailcourier.provision.steps import MERGED, Fields, Placeholder, Step, call_factory

VISIBILITY = 600  # seconds; the collector asks for the same at each receive
RETENTION = 1_209_600  # seconds; 14 days, SQS's maximum, to outlast a long outage
WAIT = 20  # seconds; a long poll for receives that do not set a wait
RECEIVES = 10  # an outage costs one receive in twelve hours


def _encryption(layout: Layout) -> dict[str, Any]:
    if layout.encrypts("queue"):
        return {"KmsMasterKeyId": key_arn(layout)}
    return {"SqsManagedSseEnabled": "true"}


def _queue_step(
    layout: Layout, *, id_: str, name: str, summary: str, attributes: dict[str, Any]
) -> Step:
    call = call_factory("sqs", layout.region)
    url = f"{id_.replace('-', '_')}_url"
    by_url = {"QueueUrl": Placeholder(url)}
    outputs = {url: "QueueUrl"}
    return Step(
        id=id_,
        summary=summary,
        resource=layout.arn("sqs", name),
        read_calls=(
            call("GetQueueUrl", outputs, QueueName=name),
            call("GetQueueAttributes", **by_url, AttributeNames=["All"]),
        ),
        # emulators may not store RedriveAllowPolicy; then every apply would update the queue
        expected=Fields("Attributes", attributes, lenient=("RedriveAllowPolicy",)),
        create_calls=(
            call(
                "CreateQueue",
                outputs,
                QueueName=name,
                Attributes=attributes,
                tags={each["Key"]: each["Value"] for each in layout.tags},
            ),
        ),
        update_calls=(call("SetQueueAttributes", **by_url, Attributes=attributes),),
        delete_calls=(call("DeleteQueue", **by_url),),
        tags_call=call("ListQueueTags", **by_url),
    )


def dead_letter_queue(layout: Layout) -> Step:
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [layout.queue_arn]}
    return _queue_step(
        layout,
        id_="dead-letter-queue",
        name=layout.dead_letter_queue,
        summary=(
            f"SQS queue {layout.dead_letter_queue} takes messages that were received {RECEIVES} "
            "times and not deleted (an outage costs one receive in twelve hours)"
        ),
        attributes={
            "MessageRetentionPeriod": str(RETENTION),
            "RedriveAllowPolicy": allowed,
            **_encryption(layout),
        },
    )


def queue(layout: Layout) -> Step:
    redrive = {
        "deadLetterTargetArn": layout.arn("sqs", layout.dead_letter_queue),
        "maxReceiveCount": RECEIVES,
    }
    return _queue_step(
        layout,
        id_="queue",
        name=layout.queue,
        summary=(
            f"SQS queue {layout.queue} in {layout.region} keeps messages for 14 days, encrypted, "
            "and hides a received one for 10 minutes"
        ),
        attributes={
            "VisibilityTimeout": str(VISIBILITY),
            "MessageRetentionPeriod": str(RETENTION),
            "ReceiveMessageWaitTimeSeconds": str(WAIT),
            "RedrivePolicy": redrive,
            **_encryption(layout),
        },
    )


def policy(layout: Layout) -> Step:
    call = call_factory("sqs", layout.region)
    senders = {
        "sns": f"topic {layout.topic_name}",
        "s3": f"bucket {layout.bucket}",
        "eventbridge": f"rule {layout.name}",
    }
    by_url = {"QueueUrl": Placeholder("queue_url")}
    put, clear = (
        call("SetQueueAttributes", **by_url, Attributes={"Policy": text}) for text in (MERGED, "")
    )
    return Step(
        id="queue-policy",
        summary=(
            f"the policy of queue {layout.queue} lets {senders[layout.request.delivery]} send to it"
        ),
        resource=layout.queue_arn,
        read_calls=(call("GetQueueAttributes", **by_url, AttributeNames=["Policy"]),),
        expected=Statements("Attributes.Policy", policies.queue_statements(layout)),
        create_calls=(put,),
        delete_calls=(put, clear),
        additive=True,
    )
