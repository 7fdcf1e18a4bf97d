"""The stub is held to what the SQS API reference says, through boto3."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.support import servers
from tests.support.sqs_stub import SqsStub, control


def client_of(url, **config):
    return boto3.client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


@pytest.fixture
def stub():
    with SqsStub() as started:
        started.create("trail", visibility=30)
        yield started


@pytest.fixture
def sqs(stub):
    client = client_of(stub.url, read_timeout=30)
    yield client
    client.close()


@pytest.fixture
def url(stub):
    return stub.queue_url("trail")


def receive(sqs, url, **asked):
    answer = sqs.receive_message(
        QueueUrl=url, MessageSystemAttributeNames=["All"], **{"MaxNumberOfMessages": 10, **asked}
    )
    return answer.get("Messages", [])


def code_of(raised):
    return raised.value.response["Error"]["Code"]


def test_what_is_sent_is_received_with_its_attributes(sqs, url):
    sent = sqs.send_message(QueueUrl=url, MessageBody="körper")

    (message,) = receive(sqs, url)

    assert message["MessageId"] == sent["MessageId"]
    assert message["Body"] == "körper"
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert abs(int(message["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60


def test_a_leased_message_is_hidden_until_its_lease_ends(stub, sqs, url):
    stub.send("trail", "a")
    (first,) = receive(sqs, url, VisibilityTimeout=600)

    hidden = receive(sqs, url)
    stub.advance(601)
    (again,) = receive(sqs, url)

    assert hidden == []
    assert again["ReceiptHandle"] != first["ReceiptHandle"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_lease_can_be_lengthened_and_given_back(stub, sqs, url):
    stub.send("trail", "a")
    (message,) = receive(sqs, url, VisibilityTimeout=30)
    handle = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}

    sqs.change_message_visibility(**handle, VisibilityTimeout=600)
    stub.advance(60)
    hidden = receive(sqs, url)
    sqs.change_message_visibility(**handle, VisibilityTimeout=0)

    assert hidden == []
    assert len(receive(sqs, url)) == 1


def test_one_receive_brings_a_message_once_even_without_a_lease(stub, sqs, url):
    stub.send("trail", "a")

    assert len(receive(sqs, url, VisibilityTimeout=0)) == 1


def test_a_delete_with_an_older_handle_succeeds_and_deletes_nothing(stub, sqs, url):
    stub.send("trail", "a")
    (old,) = receive(sqs, url, VisibilityTimeout=1)
    stub.advance(2)
    (new,) = receive(sqs, url)

    sqs.delete_message(QueueUrl=url, ReceiptHandle=old["ReceiptHandle"])
    kept = stub.bodies("trail")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=new["ReceiptHandle"])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=new["ReceiptHandle"])

    assert kept == ["a"]
    assert stub.bodies("trail") == []


def test_a_delete_after_the_lease_ended_still_deletes(stub, sqs, url):
    stub.send("trail", "a")
    (message,) = receive(sqs, url, VisibilityTimeout=1)
    stub.advance(2)

    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    assert stub.bodies("trail") == []


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda stub, sqs, url, handle: stub.advance(31), "MessageNotInflight"),
        (
            lambda stub, sqs, url, handle: sqs.delete_message(QueueUrl=url, ReceiptHandle=handle),
            "InvalidParameterValue",
        ),
        (
            lambda stub, sqs, url, handle: (stub.advance(31), receive(sqs, url)),
            "InvalidParameterValue",
        ),
    ],
    ids=["lease-ended", "deleted", "received-again"],
)
def test_a_lost_lease_cannot_be_lengthened(stub, sqs, url, spoil, code):
    stub.send("trail", "a")
    (message,) = receive(sqs, url)
    spoil(stub, sqs, url, message["ReceiptHandle"])

    with pytest.raises(ClientError) as raised:
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=60
        )

    assert code_of(raised).endswith(code)


@pytest.mark.parametrize("handle", ["nonsense", "AQEBbm90IG91cnM="])
def test_a_handle_that_is_none_is_invalid(sqs, url, handle):
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)


def test_a_handle_of_another_queue_is_invalid(stub, sqs, url):
    stub.create("other")
    stub.send("other", "a")
    (message,) = receive(sqs, stub.queue_url("other"))

    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_nobody_holds_a_message_for_more_than_twelve_hours(stub, sqs, url):
    stub.send("trail", "a")
    (message,) = receive(sqs, url, VisibilityTimeout=43_200)
    handle = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    stub.advance(43_000)

    sqs.change_message_visibility(**handle, VisibilityTimeout=190)
    with pytest.raises(ClientError, match="Total VisibilityTimeout") as raised:
        sqs.change_message_visibility(**handle, VisibilityTimeout=210)

    assert code_of(raised) == "InvalidParameterValue"


def test_a_message_received_too_often_moves_to_the_dead_letter_queue(stub, sqs):
    url = stub.create("strict", redrive=("dead", 2))
    stub.send("strict", "a")

    seen = []
    for _ in range(3):
        seen.append(len(receive(sqs, url, VisibilityTimeout=1)))
        stub.advance(2)

    assert seen == [1, 1, 0]
    assert stub.bodies("strict") == []
    assert stub.bodies("dead") == ["a"]


def test_a_long_poll_wakes_when_something_is_sent(stub, sqs, url):
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receive, sqs, url, WaitTimeSeconds=20)
        time.sleep(0.2)
        started = time.monotonic()
        stub.send("trail", "a")

        assert len(waiting.result(20)) == 1
        assert time.monotonic() - started < 10


def test_a_long_poll_wakes_when_a_lease_ends(stub, sqs, url):
    stub.send("trail", "a")
    receive(sqs, url, VisibilityTimeout=1)
    started = time.monotonic()

    assert len(receive(sqs, url, WaitTimeSeconds=20)) == 1
    assert time.monotonic() - started < 10


def test_a_long_poll_ends_with_nothing(sqs, url):
    started = time.monotonic()

    assert receive(sqs, url, WaitTimeSeconds=1) == []
    assert 0.8 < time.monotonic() - started < 10


def test_a_long_poll_wakes_when_time_is_advanced(stub, sqs, url):
    stub.send("trail", "a")
    receive(sqs, url, VisibilityTimeout=600)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receive, sqs, url, WaitTimeSeconds=20)
        time.sleep(0.1)
        stub.advance(700)

        assert len(waiting.result(3)) == 1


def test_a_batch_fails_entry_by_entry(stub, sqs, url):
    stub.send("trail", *"abcd")
    messages = receive(sqs, url)
    stub.fail_entries("DeleteMessageBatch", skip=1, times=2)

    answer = sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[{"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"]} for m in messages],
    )

    assert [entry["Id"] for entry in answer["Successful"]] == ["a", "d"]
    assert [(e["Id"], e["Code"]) for e in answer["Failed"]] == [
        ("b", "InternalError"),
        ("c", "InternalError"),
    ]
    assert stub.bodies("trail") == ["b", "c"]


def test_a_batch_of_leases_says_which_is_lost(stub, sqs, url):
    stub.send("trail", "a", "b")
    kept, lost = receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=lost["ReceiptHandle"])

    answer = sqs.change_message_visibility_batch(
        QueueUrl=url,
        Entries=[
            {"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 60}
            for m in (kept, lost)
        ],
    )

    assert [entry["Id"] for entry in answer["Successful"]] == ["a"]
    assert [entry["Code"] for entry in answer["Failed"]] == ["InvalidParameterValue"]


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        (["x", "x"], "BatchEntryIdsNotDistinct"),
        ([str(n) for n in range(11)], "TooManyEntriesInBatchRequest"),
        ([], "EmptyBatchRequest"),
    ],
    ids=["twice", "eleven", "none"],
)
def test_a_batch_that_sqs_would_not_take_is_refused(sqs, url, ids, code):
    with pytest.raises(ClientError) as raised:
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": i, "MessageBody": "m"} for i in ids])

    assert code_of(raised).endswith(code)


def test_a_batch_is_sent(stub, sqs, url):
    sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": f"m{n}"} for n in range(10)]
    )

    assert stub.bodies("trail") == [f"m{n}" for n in range(10)]


def test_a_message_is_delivered_twice_at_once(stub, sqs, url):
    stub.send("trail", "a")
    stub.deliver_twice("trail")

    (first,) = receive(sqs, url)
    (second,) = receive(sqs, url)
    third = receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])

    assert first["MessageId"] == second["MessageId"]
    assert third == []
    assert stub.bodies("trail") == []


def test_a_queue_that_is_not_there_is_an_error(sqs, url):
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as raised:
        receive(sqs, url + "-not")

    assert code_of(raised) == "AWS.SimpleQueueService.NonExistentQueue"


def test_eleven_messages_cannot_be_asked_for(sqs, url):
    with pytest.raises(ClientError, match="MaxNumberOfMessages"):
        receive(sqs, url, MaxNumberOfMessages=11)


def test_the_depth_is_reported(stub, sqs, url):
    stub.create("strict", redrive=("dead", 5))
    stub.send("strict", *"abc")
    receive(sqs, stub.queue_url("strict"), MaxNumberOfMessages=1)

    answer = sqs.get_queue_attributes(QueueUrl=stub.queue_url("strict"), AttributeNames=["All"])

    assert answer["Attributes"]["ApproximateNumberOfMessages"] == "2"
    assert answer["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "1"
    assert '"maxReceiveCount": 5' in answer["Attributes"]["RedrivePolicy"]
    assert sqs.get_queue_url(QueueName="strict")["QueueUrl"].endswith("/strict")


def test_an_error_is_answered_as_often_as_asked(stub, sqs, url):
    stub.send("trail", "a")
    stub.fault("ReceiveMessage", code="AccessDenied", status=403, skip=1, times=1)

    receive(sqs, url, VisibilityTimeout=0)
    with pytest.raises(ClientError) as raised:
        receive(sqs, url)

    assert code_of(raised) == "AccessDenied"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert len(receive(sqs, url)) == 1


def test_a_request_hangs_until_the_client_gives_up(stub, url):
    impatient = client_of(stub.url, read_timeout=0.3)
    stub.fault("ReceiveMessage", hang=True)

    with pytest.raises(ReadTimeoutError):
        receive(impatient, url)

    assert receive(impatient, url) == []
    impatient.close()


def test_a_connection_is_reset_before_the_work_or_after_it(stub, sqs, url):
    stub.send("trail", "a", "b")
    messages = receive(sqs, url)
    stub.fault("DeleteMessage", reset=True)
    with pytest.raises(ConnectionClosedError):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=messages[0]["ReceiptHandle"])
    before = stub.bodies("trail")

    stub.fault("DeleteMessage", reset=True, after=True)
    with pytest.raises(ConnectionClosedError):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=messages[1]["ReceiptHandle"])

    assert before == ["a", "b"]
    assert stub.bodies("trail") == ["a"]


def test_an_answer_is_delayed_so_that_an_older_handle_comes_last(stub, sqs, url):
    stub.send("trail", "a")
    stub.deliver_twice("trail")
    stub.fault("ReceiveMessage", delay=0.5, times=1)
    order = []

    def take():
        order.extend(m["Attributes"]["ApproximateReceiveCount"] for m in receive(sqs, url))

    late = threading.Thread(target=take)
    late.start()
    deadline = time.monotonic() + 5
    while not stub.log("ReceiveMessage") and time.monotonic() < deadline:
        time.sleep(0.01)
    take()
    late.join(5)

    assert order == ["2", "1"]


def test_faults_are_taken_away(stub, sqs, url):
    stub.fault("*", code="InternalError", status=500, times=-1)
    stub.heal()

    assert receive(sqs, url) == []


def test_the_log_says_who_did_what_and_when(stub, sqs, url):
    stub.send("trail", "a")
    (message,) = receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    (entry,) = stub.log("DeleteMessage", "trail")

    assert entry.who.startswith("AKIAEXAMPLE:")
    assert entry.ids == (message["MessageId"],)
    assert time.monotonic() - entry.at < 10
    assert stub.deleted("trail") == [message["MessageId"]]


def test_a_server_that_died_comes_back_on_its_port(stub, sqs, url):
    stub.send("trail", "a")
    stub.server.refuse()
    with pytest.raises(Exception, match=r"connect|closed"):
        receive(sqs, url)

    stub.server.resume()

    assert len(receive(sqs, url)) == 1


def test_the_stub_serves_as_a_process():
    with servers.sqs_process("trail:2:dead") as started:
        url = started["queues"]["trail"]
        sqs = client_of(started["url"])
        control(started["url"], "send", queue="trail", bodies=["a"])
        control(started["url"], "fault", what="ReceiveMessage", code="OverLimit", status=403)

        with pytest.raises(ClientError) as raised:
            receive(sqs, url)
        (message,) = receive(sqs, url)
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

        assert code_of(raised) == "OverLimit"
        assert control(started["url"], "bodies", queue="trail") == []
        assert control(started["url"], "log")[-1]["ids"] == [message["MessageId"]]
        sqs.close()
