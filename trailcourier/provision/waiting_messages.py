"""How many messages the queues of a set-up hold, for whoever is about to delete them."""

from collections.abc import Iterator, Sequence

import msgspec

from trailcourier.aws.calls import AwsCall
from trailcourier.provision.apply import StepReport
from trailcourier.provision.names import Layout
from trailcourier.provision.step_runner import CallFailed, StepRunner

_COUNTS = tuple(f"ApproximateNumberOfMessages{each}" for each in ("", "NotVisible", "Delayed"))


class WaitingMessages(msgspec.Struct, frozen=True):
    """The *messages* in a *queue*, waiting or in flight; None if AWS does not say."""

    queue: str
    messages: int | None


def count(
    layout: Layout, reports: Sequence[StepReport], runner: StepRunner
) -> Iterator[WaitingMessages]:
    """Yield the count of each queue that *reports* would remove; *runner* made them."""
    names = {"queue": layout.queue, "dead-letter-queue": layout.dead_letter_queue}
    for report in reports:
        if report.step not in names or report.state != "to remove":
            continue
        name = names[report.step]
        url = runner.known[f"{report.step.replace('-', '_')}_url"]
        parameters = {"QueueUrl": url, "AttributeNames": list(_COUNTS)}
        call = AwsCall(
            "sqs", "GetQueueAttributes", layout.region, layout.arn("sqs", name), parameters
        )
        try:
            attributes = runner.call(call).get("Attributes", {})
        except CallFailed:
            yield WaitingMessages(name, None)
        else:
            yield WaitingMessages(name, sum(int(attributes.get(each, 0)) for each in _COUNTS))


def describe(found: Sequence[WaitingMessages]) -> Iterator[str]:
    """Yield what is lost with each queue that is not known to be empty."""
    for each in found:
        if each.messages is None:
            yield f"queue {each.queue}: AWS does not say how many messages wait in it"
        elif each.messages:
            noun = "message waits" if each.messages == 1 else "messages wait"
            yield (
                f"queue {each.queue}: {each.messages} {noun} in it; deleted with the queue. The "
                "log files that they announce stay in the bucket"
            )
