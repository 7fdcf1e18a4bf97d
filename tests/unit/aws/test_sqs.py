import json

import pytest

from tests.support.aws_answers import Recording, session, signer, sqs_error
from tests.support.http_stub import Reply
from trailcourier.aws import regions, sqs
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.errors import Fault
from trailcourier.models import QueueLimits
from trailcourier.secret import Secret


def queue_at(server, credentials=None):
    address = regions.parse_queue_url(f"{server.url}/111122223333/trail", "eu-west-1")
    return sqs.Queue(session(credentials), address, network=Network())


def action(request):
    return request.headers["x-amz-target"].partition(".")[2]


def asked(request):
    return json.loads(request.body)


class Answers:
    """A fake SQS: maps an action to its response, or to a function of the request."""

    def __init__(self, **by_action):
        self.by_action = by_action

    def __call__(self, request):
        answer = self.by_action[action(request)]
        answer = answer(asked(request)) if callable(answer) else answer
        if isinstance(answer, Reply):
            return answer
        return Reply(200, json.dumps(answer).encode())


def all_done(request):
    return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}


def failing(**codes):
    """A response in which every entry succeeds, except those whose receipt has a code."""

    def answer(request):
        failed = [
            {"Id": entry["Id"], "Code": codes[entry["ReceiptHandle"]], "SenderFault": True}
            for entry in request["Entries"]
            if entry["ReceiptHandle"] in codes
        ]
        gone = {entry["Id"] for entry in failed}
        done = [{"Id": each["Id"]} for each in request["Entries"] if each["Id"] not in gone]
        return {"Successful": done, "Failed": failed}

    return answer


ERRORS = [
    ("queue-denied", 403, "AccessDenied", "AccessDeniedException"),
    ("queue-denied", 403, "", "AccessDeniedException"),
    ("no-such-queue", 400, "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
    ("no-such-queue", 404, "InvalidAddress", "InvalidAddress"),
    ("credentials", 403, "InvalidClientTokenId", "UnrecognizedClientException"),
    ("credentials", 403, "SignatureDoesNotMatch", "InvalidSignatureException"),
    ("credentials", 403, "ExpiredToken", "ExpiredTokenException"),
    ("clock-skew", 403, "RequestExpired", "RequestExpired"),
    ("throttled", 403, "OverLimit", "OverLimit"),
    ("throttled", 400, "RequestThrottled", "RequestThrottled"),
    ("queue-key", 400, "KMS.AccessDeniedException", "KmsAccessDenied"),
    ("queue-key", 400, "KMS.DisabledException", "KmsDisabled"),
    ("throttled", 400, "KMS.ThrottlingException", "KmsThrottled"),
    ("queue-error", 500, "InternalFailure", "InternalFailure"),
]


@pytest.mark.parametrize(
    ("reason", "status", "older", "modelled"),
    ERRORS,
    ids=[older or f"{modelled} without its older name" for _, _, older, modelled in ERRORS],
)
def test_each_error_of_sqs_has_its_reason(reason, status, older, modelled):
    with Recording(lambda request: sqs_error(status, older, modelled)) as server:
        with pytest.raises(Fault) as raised:
            queue_at(server).receive(most=10, wait=0, visibility=600)

        assert (raised.value.reason, raised.value.where) == (reason, "queue")
        assert f"{server.url}/111122223333/trail" in raised.value.detail


def test_a_queue_that_cannot_be_reached_is_a_fault_of_the_network():
    with Recording(lambda request: None) as server:
        queue = queue_at(server)

    with pytest.raises(Fault) as raised:
        queue.receive(most=1, wait=0, visibility=600)

    assert raised.value.reason == "network"


def test_a_receive_sends_its_parameters_and_returns_the_messages():
    message = {
        "MessageId": "m-1",
        "ReceiptHandle": "r-1",
        "Body": "{}",
        "Attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1795500000000"},
    }

    with Recording(Answers(ReceiveMessage={"Messages": [message]})) as server:
        got = queue_at(server).receive(most=7, wait=2, visibility=600)

    (request,) = [asked(each) for each in server.requests]
    assert (request["MaxNumberOfMessages"], request["WaitTimeSeconds"]) == (7, 2)
    assert request["VisibilityTimeout"] == 600
    (only,) = got
    assert (only.id, only.receipt, only.body) == ("m-1", "r-1", "{}")
    assert (only.receive_count, only.sent) == (3, 1795500000000)


def test_an_empty_receive_returns_no_messages():
    with Recording(Answers(ReceiveMessage={})) as server:
        assert queue_at(server).receive(most=10, wait=0, visibility=600) == []


def test_a_batch_has_at_most_ten_entries():
    entries = [(f"m-{at}", f"r-{at}") for at in range(23)]

    with Recording(Answers(DeleteMessageBatch=all_done)) as server:
        changed = queue_at(server).delete(entries)

    assert [len(asked(request)["Entries"]) for request in server.requests] == [10, 10, 3]
    assert list(changed.done) == [message for message, _ in entries]


def test_no_entries_make_no_request():
    with Recording(Answers()) as server:
        assert queue_at(server).change_visibility([]) == sqs.BatchResult()

    assert server.requests == []


def test_a_batch_result_separates_done_lost_and_failed():
    entries = [(f"m-{at}", f"r{at}", 600) for at in range(12)]
    codes = {
        "r1": "ReceiptHandleIsInvalid",
        "r3": "AWS.SimpleQueueService.MessageNotInflight",
        "r10": "InvalidParameterValue",
        "r11": "InternalError",
    }

    with Recording(Answers(ChangeMessageVisibilityBatch=failing(**codes))) as server:
        changed = queue_at(server).change_visibility(entries)

    assert changed.lost == {
        "m-1": "ReceiptHandleIsInvalid",
        "m-3": "MessageNotInflight",
        "m-10": "InvalidParameterValue",
    }
    assert changed.failed == {"m-11": "InternalError"}
    assert set(changed.done) == {f"m-{at}" for at in (0, 2, 4, 5, 6, 7, 8, 9)}


def test_each_message_gets_its_own_visibility():
    with Recording(Answers(ChangeMessageVisibilityBatch=all_done)) as server:
        queue_at(server).change_visibility([("a", "ra", 600), ("b", "rb", 0)])

    entries = asked(server.requests[0])["Entries"]
    assert [(e["ReceiptHandle"], e["VisibilityTimeout"]) for e in entries] == [
        ("ra", 600),
        ("rb", 0),
    ]


DENIED = sqs_error(403, "AccessDenied", "AccessDeniedException", "no sqs:changemessagevisibility")


def test_a_denied_visibility_change_raises_not_allowed():
    with Recording(lambda request: DENIED) as server, pytest.raises(sqs.NotAllowed) as raised:
        queue_at(server).change_visibility([("a", "ra", 600)])

    assert "sqs:changemessagevisibility" in raised.value.detail


def test_a_denied_receive_or_delete_is_not_optional():
    with Recording(lambda request: DENIED) as server:
        queue = queue_at(server)
        for call in (
            lambda: queue.receive(most=1, wait=0, visibility=600),
            lambda: queue.delete([("a", "ra")]),
        ):
            with pytest.raises(Fault) as raised:
                call()

            assert not isinstance(raised.value, sqs.NotAllowed)


def test_the_depth_has_visible_in_flight_and_delayed_messages():
    attributes = {
        "ApproximateNumberOfMessages": "41",
        "ApproximateNumberOfMessagesNotVisible": "7",
        "ApproximateNumberOfMessagesDelayed": "0",
    }

    with Recording(Answers(GetQueueAttributes={"Attributes": attributes})) as server:
        found = queue_at(server).depth()

    assert found == sqs.QueueDepth(41, 7, 0, QueueLimits(kept=None, receives=0))


def test_the_depth_includes_retention_and_max_receives():
    attributes = {
        "ApproximateNumberOfMessages": "41",
        "MessageRetentionPeriod": "345600",
        "RedrivePolicy": '{"deadLetterTargetArn": "arn:x", "maxReceiveCount": "10"}',
    }

    with Recording(Answers(GetQueueAttributes={"Attributes": attributes})) as server:
        found = queue_at(server).depth()

    assert found is not None
    assert found.limits == QueueLimits(kept=345_600, receives=10)
    assert len(server.requests) == 1


def test_without_the_permission_the_depth_and_the_redrive_are_unknown():
    with Recording(lambda request: DENIED) as server:
        queue = queue_at(server)

        assert queue.depth() is None
        assert queue.max_receives() is None


@pytest.mark.parametrize("written", [5, "5"], ids=["number", "text, as SQS returns older ones"])
def test_the_redrive_policy_is_read_once(written):
    policy = json.dumps({"deadLetterTargetArn": "arn:x", "maxReceiveCount": written})
    answers = Answers(GetQueueAttributes={"Attributes": {"RedrivePolicy": policy}})

    with Recording(answers) as server:
        queue = queue_at(server)
        counts = [queue.max_receives() for _ in range(3)]

    assert counts == [5, 5, 5]
    assert len(server.requests) == 1


def test_a_queue_without_a_redrive_policy_has_none():
    with Recording(Answers(GetQueueAttributes={})) as server:
        assert queue_at(server).max_receives() == 0


def test_a_rotated_secret_is_used_after_sqs_refused_the_old_one(tmp_path):
    file = tmp_path / "key"
    file.write_text("AKIAOLD")
    credentials = Credentials(
        kind="iam-user",
        access_key_id=Secret(f"file:{file}"),
        secret_access_key=Secret.public("example"),
    )

    def answer(request):
        if signer(request)[0] == "AKIANEW":
            return Reply(200, b"{}")
        return sqs_error(403, "InvalidClientTokenId", "UnrecognizedClientException")

    with Recording(answer) as server:
        queue = queue_at(server, credentials)
        with pytest.raises(Fault):
            queue.receive(most=1, wait=0, visibility=600)
        file.write_text("AKIANEW")

        assert queue.receive(most=1, wait=0, visibility=600) == []


PAGE = Reply(200, b"<!doctype html><title>guest network</title>", (("Content-Type", "text/html"),))
ODD = [
    PAGE,
    {"Messages": [{"MessageId": "m-1"}]},
    {
        "Messages": [
            {"MessageId": "m-1", "ReceiptHandle": "r", "Attributes": {"SentTimestamp": "x"}}
        ]
    },
    {"Messages": "none", "Successful": "all", "Attributes": "no"},
    {"Successful": [{"Name": "0"}], "Attributes": {"QueueArn": 5}},
    {"Successful": [{"Id": "zero"}], "Messages": [None], "Attributes": []},
]
CALLS = {
    "receive": lambda queue: queue.receive(most=1, wait=0, visibility=600),
    "change_visibility": lambda queue: queue.change_visibility([("a", "ra", 600)]),
    "delete": lambda queue: queue.delete([("a", "ra")]),
    "depth": lambda queue: queue.depth(),
    "redrive": lambda queue: queue.max_receives(),
}
FIELDS = {"receive": "Messages", "change_visibility": "Successful", "delete": "Successful"}


@pytest.mark.parametrize(
    ("call", "odd"),
    [(c, odd) for c in CALLS for odd in ODD if odd is PAGE or FIELDS.get(c, "Attributes") in odd],
    ids=lambda part: "page" if part is PAGE else str(part),
)
def test_a_malformed_sqs_response_is_not_aws(call, odd):
    answer = odd if odd is PAGE else Reply(200, json.dumps(odd).encode())
    with Recording(lambda request: answer) as server:
        with pytest.raises(Fault) as raised:
            CALLS[call](queue_at(server))

        assert (raised.value.reason, raised.value.where) == ("not-aws", "queue")
        assert server.url in raised.value.detail


def test_an_entry_missing_in_the_response_is_not_done():
    with Recording(Answers(DeleteMessageBatch={"Successful": [{"Id": "1"}]})) as server:
        changed = queue_at(server).delete([("a", "ra"), ("b", "rb"), ("c", "rc")])

    assert changed.done == ("b",)
    assert changed.failed == {"a": "Unanswered", "c": "Unanswered"}


def test_an_unknown_entry_in_the_response_is_ignored():
    with Recording(Answers(DeleteMessageBatch={"Successful": [{"Id": "7"}]})) as server:
        changed = queue_at(server).delete([("a", "ra")])

    assert changed == sqs.BatchResult(failed={"a": "Unanswered"})


@pytest.mark.parametrize("attributes", [{}, {"ApproximateNumberOfMessages": "many"}], ids=str)
def test_the_depth_is_none_if_the_service_has_none(attributes):
    with Recording(Answers(GetQueueAttributes={"Attributes": attributes})) as server:
        assert queue_at(server).depth() is None


def test_missing_attributes_count_as_zero():
    attributes = {"ApproximateNumberOfMessages": "41"}

    with Recording(Answers(GetQueueAttributes={"Attributes": attributes})) as server:
        found = queue_at(server).depth()

    assert found == sqs.QueueDepth(41, 0, 0, QueueLimits(kept=None, receives=0))


@pytest.mark.parametrize("policy", ["{", "5", '{"maxReceiveCount": "often"}'])
def test_a_malformed_redrive_policy_is_unknown(policy):
    with Recording(Answers(GetQueueAttributes={"Attributes": {"RedrivePolicy": policy}})) as server:
        assert queue_at(server).max_receives() is None
