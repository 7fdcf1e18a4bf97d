"""The AWS adapters against moto's server, which has the protocols and keeps state."""

import json
import secrets
import threading

import pytest
from moto.server import ThreadedMotoServer

from tests.support.aws_answers import reader, session
from trailcourier.aws import clients, dead_letters, regions, sqs
from trailcourier.aws.network import Network
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef
from trailcourier.operations import redrive

REGION = "eu-west-1"
BUCKET = "acme-trail"
KEY = "AWSLogs/a b+c/ü.json.gz"


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(moto):
    def make(service):
        return clients.make_client(session(), service, REGION, network=Network(endpoint_url=moto))

    return make


@pytest.fixture
def queue(client, moto):
    """A queue that moves a message to another after two receives."""
    made = client("sqs")
    name = f"trail-{secrets.token_hex(4)}"
    dead = made.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = made.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": 2}
    url = made.create_queue(QueueName=name, Attributes={"RedrivePolicy": json.dumps(policy)})[
        "QueueUrl"
    ]
    address = regions.parse_queue_url(url, REGION)
    return sqs.Queue(session(), address, network=Network(endpoint_url=moto)), url


@pytest.fixture(scope="module")
def bucket(moto):
    """A bucket that keeps versions."""
    made = clients.make_client(session(), "s3", REGION, network=Network(endpoint_url=moto))
    made.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    made.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return made


def test_messages_are_received_extended_released_and_deleted(queue, client):
    ours, url = queue
    client("sqs").send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(at), "MessageBody": f"body {at}"} for at in range(3)]
    )

    messages = ours.receive(most=10, wait=1, visibility=600)
    first, second, third = messages
    held = ours.depth()
    back = ours.change_visibility([(first.id, first.receipt, 0), (second.id, second.receipt, 900)])
    again = ours.receive(most=10, wait=1, visibility=600)
    deleted = ours.delete([(m.id, m.receipt) for m in (*again, second, third)])

    assert {message.body for message in messages} == {"body 0", "body 1", "body 2"}
    assert (held.visible, held.in_flight, held.delayed) == (0, 3, 0)
    assert set(back.done) == {first.id, second.id}
    assert [(m.id, m.receive_count) for m in again] == [(first.id, 2)]
    assert again[0].sent == first.sent > 0
    assert set(deleted.done) == {first.id, second.id, third.id}
    left = ours.depth()
    assert (left.visible, left.in_flight, left.delayed) == (0, 0, 0)
    assert left.limits.kept == 345_600


def test_an_invalid_receipt_is_lost_and_the_others_are_done(queue, client):
    ours, url = queue
    client("sqs").send_message(QueueUrl=url, MessageBody="one")
    (message,) = ours.receive(most=1, wait=1, visibility=600)

    changed = ours.change_visibility(
        [("gone", "no-such-handle", 60), (message.id, message.receipt, 60)]
    )

    assert changed.done == (message.id,)
    assert changed.lost == {"gone": "ReceiptHandleIsInvalid"}


def test_the_redrive_policy_is_read(queue):
    ours, _ = queue

    assert ours.max_receives() == 2


def test_a_queue_that_does_not_exist_has_its_reason(moto):
    address = regions.parse_queue_url(f"{moto}/123456789012/nothing", REGION)
    ours = sqs.Queue(session(), address, network=Network())

    with pytest.raises(Fault) as raised:
        ours.receive(most=1, wait=0, visibility=600)

    assert raised.value.reason == "no-such-queue"


def test_an_object_is_read_by_the_etag_s3_announced(bucket, moto):
    put = bucket.put_object(Bucket=BUCKET, Key=KEY, Body=b"the log")
    ref = ObjectRef(BUCKET, KEY, etag=put["ETag"].strip('"'))

    opened = reader(moto).open(ref)

    assert (opened.size, opened.etag) == (7, ref.etag)
    assert bytes(opened.body()) == b"the log"


def test_an_object_that_was_overwritten_is_read_by_its_version_only(bucket, moto):
    old = bucket.put_object(Bucket=BUCKET, Key="twice", Body=b"old")
    bucket.put_object(Bucket=BUCKET, Key="twice", Body=b"new")
    etag = old["ETag"].strip('"')

    by_version = reader(moto).open(ObjectRef(BUCKET, "twice", version=old["VersionId"], etag=etag))
    with pytest.raises(Fault) as raised:
        reader(moto).open(ObjectRef(BUCKET, "twice", etag=etag))

    assert bytes(by_version.body()) == b"old"
    assert raised.value.reason == "changed"


@pytest.mark.parametrize(
    ("bucket_name", "reason"), [(BUCKET, "no-such-key"), ("acme-nothing", "no-such-bucket")]
)
def test_a_missing_bucket_or_key_has_its_reason(bucket, moto, bucket_name, reason):
    with pytest.raises(Fault) as raised:
        reader(moto).open(ObjectRef(bucket_name, "nothing"))

    assert raised.value.reason == reason


def test_an_archived_object_has_its_reason(bucket, moto):
    bucket.put_object(Bucket=BUCKET, Key="cold", Body=b"x", StorageClass="GLACIER")

    with pytest.raises(Fault) as raised:
        reader(moto).open(ObjectRef(BUCKET, "cold"))

    assert raised.value.reason == "archived"


def test_the_region_of_a_bucket_is_found(bucket, moto):
    bucket.put_object(Bucket=BUCKET, Key="found", Body=b"x")

    opened = reader(moto, bucket_region=None).open(ObjectRef(BUCKET, "found"))

    assert opened.region == REGION


def test_dead_letters_are_read_and_moved_back_with_their_attributes(queue, client):
    made, url = queue
    asking = client("sqs")
    attributes = {
        "team": {"DataType": "String", "StringValue": "security"},
        "key": {"DataType": "Binary", "BinaryValue": b"\x00\x01\x02"},
    }
    for body in ("one", "two"):
        asking.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
    for _ in range(3):
        made.receive(most=10, wait=0, visibility=0)
    dead = dead_letters.find(made, regions.parse_queue_url(url, REGION))

    listed = redrive.list_messages("prod", dead, (), most=10)
    result = redrive.redrive(
        "prod", dead, most=None, stopping=threading.Event(), watched=lambda moved, of: None
    )

    assert (listed.waiting, {each.reason for each in listed.messages}) == (2, {"not-understood"})
    assert (result.way, result.moved, result.good) == ("by-hand", 2, True)
    assert "SQS cannot run a move task here" in result.note
    assert dead.contents().waiting == 0
    got = asking.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )["Messages"]
    assert sorted(each["Body"] for each in got) == ["one", "two"]
    assert [each["MessageAttributes"] for each in got] == [attributes] * 2
