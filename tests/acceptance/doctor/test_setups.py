"""Set-ups that people get wrong, one thing each: doctor names it first, and nothing else as error.

The account is moto's, set up as the manual says; ``tests/support/aws_front.py`` answers in its
place where moto does not do what AWS does.
"""

import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.aws_answers import s3_error
from tests.support.aws_front import ACCOUNT, KEY, OWNER, Holder, Role, json_error
from tests.support.doctor_call import fall_silent
from tests.support.http_stub import Reply, Server
from tests.support.tls import authority
from tests.support.trail_account import (
    BUCKET,
    DEAD_ARN,
    QUEUE,
    QUEUE_ARN,
    REGION,
    TOPIC,
    TOPIC_ARN,
    TRAIL,
    TrailAccount,
    allowing,
)
from tests.support.unit_fleets import move, pulse
from trailcourier.ledger import Ledger
from trailcourier.ledger.quarantine import QuarantineEntry, entry_id
from trailcourier.ledger.workers import BEAT, CONTROL, OBJECTS
from trailcourier.models import Numbers, ObjectRef

ADMIN = "AKIAADMIN"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
KMS_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234"
ASSUMING = f"""
[sources.prod.credentials]
kind = "assume-role"
role_arn = "{ROLE}"
external_id = "env:EXTERNAL_ID"
"""


@dataclass
class World:
    """The account, and what else a set-up may change: environment, configuration, broker."""

    account: TrailAccount
    broker: Any
    monkeypatch: pytest.MonkeyPatch
    folder: Any
    instead: dict[str, str] = field(default_factory=dict)
    more: str = ""
    ends: list[Callable[[], Any]] = field(default_factory=list)

    @property
    def front(self):
        return self.account.front

    @property
    def ledger(self):
        return Ledger(self.broker, "prod", Numbers())

    def env(self, **values):
        for name, value in values.items():
            self.monkeypatch.setenv(name, value)

    def lend(self):
        """Have a profile of an administrator, and the reader's own rights alone."""
        file = self.folder / "credentials"
        file.write_text(f"[admin]\naws_access_key_id = {ADMIN}\naws_secret_access_key = example\n")
        self.env(AWS_SHARED_CREDENTIALS_FILE=str(file))
        self.front.holders[ADMIN] = Holder(f"arn:aws:iam::{ACCOUNT}:user/admin")
        self.front.holders[KEY].allowed = READER

    def closed(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            return listening.getsockname()[1]

    def serve_plain(self):
        """Have a port that answers whatever comes with a text, and closes the connection."""
        listening = socket.create_server(("127.0.0.1", 0))

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()

        def end():
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            listening.close()

        self.ends.append(end)
        return listening.getsockname()[1]

    def serve(self, answer, **more):
        server = Server(answer, **more)
        self.ends.append(server.close)
        return server


@pytest.fixture
def world(account, client, monkeypatch, tmp_path):
    made = World(account, client, monkeypatch, tmp_path)
    yield made
    for end in made.ends:
        end()


# the configuration and the way out


def fifo_queue(w):
    w.instead[f"/{QUEUE}"] = f"/{QUEUE}.fifo"


def name_unknown(w):
    getaddrinfo = socket.getaddrinfo

    def resolve(host, *more, **how):
        if host == "aws.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return getaddrinfo(host, *more, **how)

    w.monkeypatch.setattr(socket, "getaddrinfo", resolve)
    w.env(AWS_ENDPOINT_URL="https://aws.example")


def firewall(w):
    w.env(AWS_ENDPOINT_URL=f"https://127.0.0.1:{w.closed()}")


def proxy_refuses(w):
    w.env(AWS_ENDPOINT_URL="https://aws.example", HTTPS_PROXY=w.serve(lambda _: Reply(403)).url)


def strange_certificate(w):
    _, context = authority(w.folder)
    w.env(AWS_ENDPOINT_URL=w.serve(lambda _: Reply(400), tls=context).url)


def expired_certificate(w):
    bundle, context = authority(w.folder, expired=True)
    url = w.serve(lambda _: Reply(400), tls=context).url
    w.env(AWS_ENDPOINT_URL=url, AWS_CA_BUNDLE=str(bundle))


def tls_to_plain(w):
    w.env(AWS_ENDPOINT_URL=f"https://127.0.0.1:{w.serve_plain()}")


def slow_down(w):
    w.front.answers["s3:ListBucket"] = of_gets(s3_error(503, "SlowDown"))


def not_signed_up(w):
    w.front.answers["s3:ListBucket"] = of_gets(s3_error(403, "NotSignedUp"))


def no_answer(w):
    fall_silent(w.monkeypatch, w.front, "sqs", "s3", "sns", "cloudtrail")


# credentials


def no_keys(w):
    w.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    w.monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


def key_state(state):
    def broken(w):
        w.front.holders[KEY].state = state

    return broken


def clock_off(w):
    w.front.clock = 3600


def clock_drifts(w):
    w.front.clock = 120


def session_keys(w):
    w.env(AWS_SESSION_TOKEN="example")


def other_partition(w):
    w.front.holders[KEY] = Holder(OWNER.replace(":aws:", ":aws-cn:"))


def wrong_external_id(w):
    w.env(EXTERNAL_ID="mistyped")
    w.front.roles[ROLE] = Role("the-right-one")
    w.more = ASSUMING


def no_such_role(w):
    w.env(EXTERNAL_ID="any")
    w.more = ASSUMING


# the queue


def wrong_name(w):
    w.instead[f"/{QUEUE}"] = f"/{QUEUE}-2"


def other_region(w):
    w.instead['queue_region = "eu-west-1"'] = 'queue_region = "us-east-1"'


def denied(*actions, why=""):
    def broken(w):
        w.front.denied |= dict.fromkeys(actions, why)

    return broken


def short_visibility(w):
    w.more = "[line.expert]\nvisibility = 20\n"


def kept_for(seconds):
    def broken(w):
        w.account.queue_attributes(MessageRetentionPeriod=str(seconds))

    return broken


def delayed(w):
    w.account.queue_attributes(DelaySeconds="900")


def leases_lost(w):
    w.broker.hset("trailcourier:1:s:prod:sums", mapping={"leases:lost": 4, "messages:deleted": 9})


def no_dead_letters(w):
    w.account.queue_attributes(RedrivePolicy="")


def few_receives(w):
    policy = {"deadLetterTargetArn": DEAD_ARN, "maxReceiveCount": 1}
    w.account.queue_attributes(RedrivePolicy=json.dumps(policy))


def bad_messages(w):
    url = w.account.queue_url(f"{QUEUE}-dead", at=w.account.moto)
    w.account.client("sqs").send_message(QueueUrl=url, MessageBody="bad")


def queue_key_disabled(w):
    key = w.account.client("kms").create_key()["KeyMetadata"]["Arn"]
    w.account.client("kms").disable_key(KeyId=key.rpartition("/")[2])
    w.account.queue_attributes(KmsMasterKeyId=key)
    w.front.denied["kms:GetKeyPolicy"] = ""


def queue_key_denied(w):
    w.account.queue_attributes(KmsMasterKeyId=KMS_KEY)
    w.front.denied |= {"kms:Decrypt": "", "kms:GetKeyPolicy": ""}


def managed_key(w):
    w.account.purge()
    w.account.queue_attributes(KmsMasterKeyId="alias/aws/sqs")


# the way into the queue


def not_subscribed(w):
    w.account.unsubscribe()


def not_confirmed(w):
    pending = b"<SubscriptionArn>PendingConfirmation<"
    w.front.changes["sns:ListSubscriptionsByTopic"] = lambda reply: reply._replace(
        body=re.sub(rb"<SubscriptionArn>[^<]*<", pending, reply.body), length=None
    )


def topic_policy(w):
    other = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/other"
    w.account.topic_policy(allowing("cloudtrail.amazonaws.com", "sns:Publish", TOPIC_ARN, other))
    status(w, LatestNotificationError="AuthorizationError")


def queue_policy(w):
    w.account.queue_attributes(Policy="")


def organisation_only(w):
    allowed = json.loads(allowing("sns.amazonaws.com", "sqs:SendMessage", QUEUE_ARN, TOPIC_ARN))
    deny = {
        "Sid": "OursOnly", "Effect": "Deny", "Principal": "*", "Action": "sqs:*",
        "Resource": QUEUE_ARN, "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}},
    }  # fmt: skip
    allowed["Statement"].append(deny)
    w.account.queue_attributes(Policy=json.dumps(allowed))


def topic_gone(w):
    w.account.client("sns").delete_topic(TopicArn=TOPIC_ARN)


def body_filter(w):
    filtering(w, FilterPolicyScope="MessageBody", FilterPolicy='{"detail": {"a": ["b"]}}')


def rule_disabled(w):
    rule = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/logs"
    events = w.account.client("events")
    events.put_rule(Name="logs", EventPattern='{"source": ["aws.s3"]}', State="DISABLED")
    events.put_targets(Rule="logs", Targets=[{"Id": "1", "Arn": QUEUE_ARN}])
    w.account.queue_attributes(
        Policy=allowing("events.amazonaws.com", "sqs:SendMessage", QUEUE_ARN, rule)
    )
    w.account.trail(SnsTopicName=None)
    bridge = b"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>"
    w.front.answers["s3:GetBucketNotification"] = lambda _: Reply(
        200, bridge, (("Content-Type", "application/xml"),)
    )


def filtering(w, **attributes):
    sns = w.account.client("sns")
    (found,) = sns.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
    for name, value in (attributes or {"FilterPolicy": '{"kind": ["log"]}'}).items():
        sns.set_subscription_attributes(
            SubscriptionArn=found["SubscriptionArn"], AttributeName=name, AttributeValue=value
        )


def managed_topic_key(w):
    w.account.client("sns").set_topic_attributes(
        TopicArn=TOPIC_ARN, AttributeName="KmsMasterKeyId", AttributeValue="alias/aws/sns"
    )


def s3_silent(w):
    by_s3 = allowing("s3.amazonaws.com", "sqs:SendMessage", QUEUE_ARN, f"arn:aws:s3:::{BUCKET}")
    w.account.queue_attributes(Policy=by_s3)
    w.account.trail(SnsTopicName=None)


# the trail


def status(w, **more):
    w.front.changes["cloudtrail:GetTrailStatus"] = lambda reply: reply._replace(
        body=json.dumps(json.loads(reply.body) | more).encode(), length=None
    )


def no_trail(w):
    w.account.client("cloudtrail").delete_trail(Name=TRAIL)
    w.account.empty()


def stopped_trail(w):
    w.account.client("cloudtrail").stop_logging(Name=TRAIL)


def second_trail_stopped(w):
    more = {"S3BucketName": BUCKET, "SnsTopicName": TOPIC, "IsMultiRegionTrail": True}
    w.account.client("cloudtrail").create_trail(Name="a-former-one", **more)


def one_region(w):
    w.account.trail(IsMultiRegionTrail=False)


def cannot_deliver(w):
    w.account.empty()
    w.account.purge()
    status(w, LatestDeliveryError="AccessDenied")


def no_topic(w):
    w.account.trail(SnsTopicName=None)


def cannot_notify(w):
    status(w, LatestNotificationError="InternalError")


def no_digests(w):
    w.account.trail(EnableLogFileValidation=False)


def wrong_bucket(w):
    w.instead[f'["{BUCKET}"]'] = '["acme-cloudtrial"]'


# the bucket


def bucket_gone(w):
    w.front.denied["cloudtrail:DescribeTrails"] = ""
    wrong_bucket(w)


def region_differs(w):
    w.front.regions[BUCKET] = "us-west-2"


def region_differs_strictly(w):
    region_differs(w)
    w.instead["bucket_region"] = "strict_region = true\nbucket_region"


def other_owner(w):
    w.front.owners[BUCKET] = "999999999999"
    w.instead["bucket_region"] = f'expected_bucket_owner = "{ACCOUNT}"\nbucket_region'


def globs_alone(w):
    w.instead[f'["{BUCKET}"]'] = '["acme-*"]'
    w.front.denied |= {"cloudtrail:DescribeTrails": "", "s3:GetObject": ""}
    w.ledger.breakers.note_success(f"bucket:prod:{BUCKET}/{ACCOUNT}")


def names_another_bucket(w):
    ref = ObjectRef("acme-other", "AWSLogs/x.json.gz")
    entry = QuarantineEntry(entry_id(ref), "object", "bucket-not-allowed", "no", ref, message="m")
    w.ledger.quarantine.put(entry)


def old_files(w):
    aged(w, days=9)


def aged(w, **how):
    at = f"<LastModified>{datetime.now(UTC) - timedelta(**how):%Y-%m-%dT%H:%M:%SZ}<".encode()
    w.front.changes["s3:ListBucket"] = lambda reply: reply._replace(
        body=re.sub(rb"<LastModified>[^<]*<", at, reply.body), length=None
    )


def of_gets(reply):
    return lambda asked: reply if asked.given["method"] == "GET" else None


def object_key_denied(w):
    w.account.empty()
    w.account.deliver(ServerSideEncryption="aws:kms", SSEKMSKeyId=KMS_KEY)
    w.front.answers["s3:GetObject"] = of_gets(s3_error(403, "AccessDenied"))


def object_key_disabled(w):
    w.front.answers["s3:GetObject"] = of_gets(s3_error(400, "KMS.DisabledException"))


def archived(w):
    w.account.empty()
    w.account.deliver(StorageClass="GLACIER")


# files beside messages


def files_alone(w):
    w.account.purge()
    aged(w, hours=1)


def messages_alone(w):
    w.account.empty()


def nothing(w):
    w.account.empty()
    w.account.purge()
    status(w, StartLoggingTime=(datetime.now(UTC) - timedelta(hours=1)).timestamp())


# a line that stands still


def alive(w, without=""):
    for each in {CONTROL, OBJECTS, BEAT} - {without}:
        pulse(w.ledger, each)


def fleet_without(role):
    def broken(w):
        alive(w, without=role)
        steps = {BEAT: ["poll", "settle", "maintenance"], CONTROL: ["tick"]}
        move(w.ledger, *steps.get(role, []))

    return broken


def working(w):
    """Have a fleet be at work that asks the queue for messages."""
    alive(w)
    move(w.ledger)
    w.ledger.breakers.note_success("queue:prod")


def no_maintenance(w):
    alive(w)
    move(w.ledger, "tick", "poll", "settle")


def two_configurations(w):
    working(w)
    pulse(w.ledger, OBJECTS, host="b", config="0ther")


def breaker_open(name, reason):
    def broken(w):
        working(w)
        for at in range(5):
            w.ledger.breakers.count_failure(name, f"{at}", reason=reason, text="it said no")

    return broken


def nobody_receives(w):
    waits(w, seconds=3600)


def waits(w, seconds):
    w.account.client("cloudwatch").put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": QUEUE}],
                "Timestamp": datetime.now(UTC) - timedelta(minutes=2),
                "Value": seconds,
            }
        ],
    )


def second_reader(w):
    w.account.client("sqs").receive_message(QueueUrl=w.account.queue_url(at=w.account.moto))


def second_reader_of_a_fleet(w):
    working(w)
    second_reader(w)


def never_delivered(w):
    working(w)
    aged(w, hours=1)


# the broker and the sinks


def broker_expects_tls(w):
    _, context = authority(w.folder)
    w.env(BROKER=f"redis://127.0.0.1:{w.serve(lambda _: Reply(400), tls=context).port}/0")


def broker_speaks_no_tls(w):
    w.env(BROKER=f"rediss://127.0.0.1:{w.broker.connection_pool.connection_kwargs['port']}/0")


def collector(w, port, tls):
    w.instead['type = "file"\npath = "events"'] = (
        f'type = "insightidr"\nway = "collector"\nhost = "127.0.0.1"\nport = {port}\ntls = {tls}'
    )


def sink_speaks_no_tls(w):
    collector(w, w.serve_plain(), "true")


def broker_down(w):
    w.env(BROKER=f"redis://127.0.0.1:{w.closed()}/0")


def evicting(w):
    w.broker.config_set("maxmemory-policy", "allkeys-lru")
    w.ends.append(lambda: w.broker.config_set("maxmemory-policy", "noeviction"))


def forgetful(w):
    w.broker.config_set("appendonly", "no")
    w.ends.append(lambda: w.broker.config_set("appendonly", "yes"))


def sink_folder_missing(w):
    w.instead['path = "events"'] = 'path = "mnt/siem/events"'


def sink_down(w):
    w.instead['type = "file"\npath = "events"'] = (
        'type = "insightidr"\nway = "collector"\nhost = "127.0.0.1"\n'
        f"port = {w.closed()}\ntls = false"
    )


BOUNDARY = "no permissions boundary allows the sqs:receivemessage action"
ENDPOINT = "no VPC endpoint policy allows the s3:GetObject action"
ERRORS = [
    ("TC001", fifo_queue), ("TC101", name_unknown), ("TC102", firewall), ("TC103", proxy_refuses),
    ("TC104", strange_certificate), ("TC104", expired_certificate), ("TC104", tls_to_plain),
    ("TC105", no_answer), ("TC106", slow_down), ("TC203", not_signed_up),
    ("TC202", no_keys), ("TC203", key_state("revoked")), ("TC203", key_state("wrong-secret")),
    ("TC204", key_state("expired")), ("TC205", clock_off), ("TC206", wrong_external_id),
    ("TC206", no_such_role), ("TC207", other_partition),
    ("TC301", wrong_name), ("TC301", other_region), ("TC303", denied("sqs:ReceiveMessage")),
    ("TC304", denied("sqs:DeleteMessage")), ("TC310", queue_key_disabled),
    ("TC310", queue_key_denied), ("TC310", managed_key),
    ("TC303", denied("sqs:ReceiveMessage", why=BOUNDARY)),
    ("TC314", kept_for(60)), ("TC405", organisation_only), ("TC406", filtering),
    ("TC406", body_filter), ("TC408", rule_disabled), ("TC409", topic_gone),
    ("TC402", not_subscribed), ("TC403", not_confirmed), ("TC404", topic_policy),
    ("TC405", queue_policy), ("TC407", managed_topic_key), ("TC408", s3_silent),
    ("TC501", no_trail), ("TC502", stopped_trail), ("TC504", cannot_deliver),
    ("TC505", no_topic), ("TC506", cannot_notify), ("TC508", wrong_bucket),
    ("TC601", bucket_gone), ("TC602", region_differs_strictly), ("TC603", other_owner),
    ("TC606", denied("s3:GetObject")), ("TC606", denied("s3:GetObject", why=ENDPOINT)),
    ("TC606", denied("s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation")),
    ("TC606", globs_alone), ("TC606", archived), ("TC609", names_another_bucket),
    ("TC607", object_key_denied), ("TC607", object_key_disabled),
    ("TC701", files_alone), ("TC702", messages_alone), ("TC703", nothing),
    ("TC806", breaker_open("bucket:prod:acme-cloudtrail", "access-denied")),
    ("TC806", breaker_open("sink:archive", "sink-busy")),
    ("TC807", fleet_without(CONTROL)), ("TC807", fleet_without(OBJECTS)),
    ("TC807", fleet_without(BEAT)), ("TC808", no_maintenance), ("TC809", two_configurations),
    ("TC810", nobody_receives), ("TC811", second_reader), ("TC811", second_reader_of_a_fleet),
    ("TC812", never_delivered), ("TC801", broker_down), ("TC802", evicting),
    ("TC801", broker_expects_tls), ("TC801", broker_speaks_no_tls), ("TC901", sink_speaks_no_tls),
    ("TC901", sink_folder_missing), ("TC901", sink_down),
]  # fmt: skip
WARNINGS = [
    ("TC204", session_keys), ("TC205", clock_drifts),
    ("TC305", denied("sqs:ChangeMessageVisibility")), ("TC307", short_visibility),
    ("TC307", leases_lost), ("TC308", no_dead_letters), ("TC308", few_receives),
    ("TC309", bad_messages), ("TC314", kept_for(7200)), ("TC315", delayed),
    ("TC502", second_trail_stopped), ("TC503", one_region), ("TC507", no_digests),
    ("TC602", region_differs), ("TC604", denied("s3:ListBucket")), ("TC605", old_files),
    ("TC803", forgetful),
]  # fmt: skip


def cases(table):
    return [
        pytest.param(id_, broken, id=f"{id_}-{broken.__qualname__.partition('.')[0]}-{at}")
        for at, (id_, broken) in enumerate(table)
    ]


@pytest.mark.parametrize(("id_", "broken"), cases(ERRORS))
def test_what_keeps_records_from_arriving_is_the_only_error(doctor, world, id_, broken):
    broken(world)

    report = doctor(instead=world.instead, more=world.more)

    assert (report.code, report.output["first"]) == (1, id_)
    assert report.errors == [id_]
    assert report.of(id_)[0].fix
    assert "hunter2" not in json.dumps(report.output)


@pytest.mark.parametrize(("id_", "broken"), cases(WARNINGS))
def test_what_costs_something_is_the_first_warning_and_no_error(doctor, world, id_, broken):
    broken(world)

    report = doctor(instead=world.instead, more=world.more)

    assert (report.code, report.errors, report.output["first"]) == (0, [], None)
    assert report.worst == id_
    assert all(each.fix for each in report.of(id_) if each.level == "warning")


def test_a_healthy_account_has_no_warning_and_no_error(doctor):
    report = doctor()

    assert report.code == 0
    assert {each.level for each in report.findings} == {"ok", "not-checked"}


FIXES = [
    (("TC104", expired_certificate), "renew it there"),
    (("TC104", tls_to_plain), "It does not speak TLS on this port"),
    (("TC203", not_signed_up), "finish its registration with AWS"),
    (("TC303", denied("sqs:ReceiveMessage", why=BOUNDARY)), "AWS names the permissions boundary"),
    (("TC405", organisation_only), '"aws:PrincipalIsAWSService": "false"'),
    (("TC606", denied("s3:GetObject", why=ENDPOINT)), "AWS names the policy of the VPC endpoint"),
    (("TC801", broker_expects_tls), "write rediss://"),
    (("TC801", broker_speaks_no_tls), "write redis://"),
    (("TC901", sink_speaks_no_tls), "It does not speak TLS on this port"),
]


@pytest.mark.parametrize(
    ("case", "fix"), FIXES, ids=[f"{case[0]}-{at}" for at, (case, _) in enumerate(FIXES)]
)
def test_the_fix_is_at_the_place_of_the_cause(doctor, world, case, fix):
    id_, broken = case
    broken(world)

    assert fix in doctor(instead=world.instead, more=world.more).of(id_)[0].fix


def test_where_s3_denies_every_call_one_fix_names_all_that_is_missing(doctor, world):
    world.front.denied |= dict.fromkeys(["s3:GetObject", "s3:ListBucket"], "")

    fix = doctor().one("TC606").fix

    assert '"Action": ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"]' in fix
    assert f'"Resource": ["arn:aws:s3:::{BUCKET}", "arn:aws:s3:::{BUCKET}/*"]' in fix
    assert "kms:Decrypt" in fix


def test_the_key_that_aws_names_in_its_error_is_the_one_to_allow(doctor, world):
    words = f"User: {OWNER} is not authorized to perform: kms:Decrypt on resource: {KMS_KEY}"
    reply = s3_error(403, "AccessDenied", words=words)
    world.front.answers["s3:GetObject"] = of_gets(reply)

    found = doctor().one("TC607")

    assert f'"Action": "kms:Decrypt", "Resource": "{KMS_KEY}"' in found.fix


def test_a_receiver_that_expects_tls_takes_no_record_in_plain_text(doctor, world):
    _, context = authority(world.folder)
    collector(world, world.serve(lambda _: Reply(400), tls=context).port, "false")

    report = doctor("--send", instead=world.instead)

    assert report.errors == ["TC902"]
    assert "the receiver speaks TLS" in report.one("TC902").text


# the rights that setup gives to the reader

READER = (
    *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"),
    *("sqs:GetQueueAttributes", "s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"),
)
SYMPTOMS = {"TC701", "TC702", "TC703", "TC810", "TC812"}
UNSEEN = {
    *("TC402", "TC403", "TC404", "TC406", "TC407", "TC408", "TC409", "TC501", "TC502", "TC504"),
    *("TC505", "TC506", "TC508", "TC810"),
}
"""The ids of causes on the AWS side, which the reader may not look at."""
SEEN = [(id_, broken) for id_, broken in ERRORS if id_ not in UNSEEN]
HIDDEN = [(id_, broken) for id_, broken in ERRORS if id_ in UNSEEN]


@pytest.mark.parametrize(("id_", "broken"), cases(SEEN))
def test_the_readers_own_rights_show_what_is_not_on_the_aws_side(doctor, world, id_, broken):
    world.front.holders[KEY].allowed = READER
    broken(world)

    report = doctor(instead=world.instead, more=world.more)

    assert report.errors == [id_]


@pytest.mark.parametrize(("id_", "broken"), cases(HIDDEN))
def test_with_the_readers_own_rights_the_cause_remains_possible(doctor, world, id_, broken):
    world.front.holders[KEY].allowed = READER
    broken(world)

    report = doctor(instead=world.instead, more=world.more)

    if broken is wrong_bucket:  # which does not exist, and that is seen
        assert report.errors == ["TC601"]
        return
    assert set(report.errors) <= SYMPTOMS
    remaining = report.one("TC004")
    assert id_ in remaining.text
    assert "`trailcourier doctor --source prod --profile NAME`" in remaining.fix


@pytest.mark.parametrize(("id_", "broken"), cases(HIDDEN))
def test_a_lent_profile_sees_what_the_reader_may_not(doctor, world, id_, broken):
    world.lend()
    broken(world)

    report = doctor("--profile", "admin", instead=world.instead, more=world.more)

    assert report.errors == [id_]
    assert "TC004" not in report.levels


@pytest.mark.parametrize("option", ["--profile", "--admin-profile"])
def test_a_lent_profile_never_does_what_the_line_does(doctor, world, option):
    world.lend()
    world.front.holders[KEY].allowed = ("sqs:ReceiveMessage", "s3:ListBucket")

    report = doctor(option, "admin")

    assert report.errors == ["TC304", "TC606"]
    assert report.one("TC208").level == "ok"
    by_admin = {each.action for each in world.front.log if each.key == ADMIN}
    assert not by_admin & {"sqs:ReceiveMessage", "sqs:DeleteMessage", "s3:GetObject"}
    assert "sqs:GetQueueAttributes" in by_admin
    assert report.one("TC306").text.count("the profile admin reads them instead") == 1


def test_a_lent_profile_lists_the_bucket_and_the_denial_stays_a_warning(doctor, world):
    world.lend()
    world.front.holders[KEY].allowed = tuple(each for each in READER if each != "s3:ListBucket")

    report = doctor("--profile", "admin")

    assert report.errors == []
    assert report.levels["TC604"] == "warning"
    assert (report.levels["TC605"], report.levels["TC606"]) == ("ok", "ok")


def test_a_profile_that_does_not_exist_is_a_warning(doctor):
    report = doctor("--profile", "nobody")

    assert (report.errors, report.worst) == ([], "TC208")
    assert "nobody" in report.one("TC208").text


def test_a_profile_that_may_not_look_either_is_named(doctor, world):
    world.lend()
    world.front.holders[KEY].allowed = world.front.holders[ADMIN].allowed = READER

    report = doctor("--profile", "admin")

    assert f"The profile admin may not look either: name one that may, in account {ACCOUNT}." in (
        report.one("TC004").fix
    )


# every action, missing

QUEUE_KEY = {"kms:Decrypt", "kms:DescribeKey", "kms:GetKeyPolicy"}
ACTIONS = {
    "sqs:ReceiveMessage": ("TC303", "error"),
    "sqs:DeleteMessage": ("TC304", "error"),
    "sqs:ChangeMessageVisibility": ("TC305", "warning"),
    "sqs:GetQueueAttributes": ("TC306", "not-checked"),
    "cloudwatch:GetMetricStatistics": ("TC312", "not-checked"),
    "kms:Decrypt": ("TC310", "error"),
    "kms:DescribeKey": ("TC310", "not-checked"),
    "kms:GetKeyPolicy": ("TC407", "not-checked"),
    "sns:ListSubscriptionsByTopic": ("TC402", "not-checked"),
    "sns:GetTopicAttributes": ("TC404", "not-checked"),
    "sns:GetSubscriptionAttributes": ("TC406", "not-checked"),
    "cloudtrail:DescribeTrails": ("TC501", "not-checked"),
    "cloudtrail:GetTrailStatus": ("TC504", "not-checked"),
    "s3:ListBucket": ("TC604", "warning"),
    "s3:GetObject": ("TC606", "error"),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_each_missing_action_is_named_with_who_what_and_the_statement(doctor, world, action):
    id_, level = ACTIONS[action]
    if action in QUEUE_KEY:
        key = world.account.client("kms").create_key()["KeyMetadata"]["Arn"]
        world.account.queue_attributes(KmsMasterKeyId=key)
    world.front.denied[action] = ""

    report = doctor(instead=world.instead)

    (found,) = [each for each in report.of(id_) if action in each.text]
    assert found.level == level
    assert found.text.startswith(f"{OWNER} may not {action} on ")
    (given,) = statements([found])
    assert given["Action"] == action
    assert given["Resource"] in found.text


STATEMENT = re.compile(r'\{"Effect": "Allow", "Action".*?"Resource": "[^"]*"\}')


def statements(findings):
    return [json.loads(text) for each in findings for text in STATEMENT.findall(each.fix)]


def test_the_manuals_permissions_suffice_and_the_printed_statements_show_the_rest(doctor, account):
    holder = account.front.holders[KEY]
    holder.allowed = ("s3:Get*", "s3:List*", "sqs:ReceiveMessage", "sqs:DeleteMessage")

    report = doctor()
    assert (report.code, report.errors) == (0, [])
    for _ in range(3):  # what a statement lets it see may need another
        holder.allowed += tuple(each["Action"] for each in statements(report.findings))
        report = doctor()

    assert [each for each in report.findings if " may not " in each.text] == []
    assert report.levels == well(doctor, account)


def well(doctor, account):
    account.front.holders[KEY].allowed = None
    return doctor().levels


def test_every_id_that_can_be_an_error_is_met_by_a_set_up():
    from trailcourier.doctor.catalogue import CATALOGUE

    met = {id_ for id_, _ in ERRORS}
    rare = {"TC302", "TC803", "TC902"}  # not AWS's own; a disk that is full; --send
    rare |= {"TC804"}  # a full broker: tests/unit/doctor has one

    assert {id_ for id_, entry in CATALOGUE.items() if "error" in entry.levels} - met == rare


def test_a_service_that_fails_is_no_error(doctor, account):
    for action in ("sqs:ReceiveMessage", "sns:GetTopicAttributes", "cloudtrail:DescribeTrails"):
        account.front.answers[action] = lambda _: json_error(500, "InternalFailure", "sorry")

    report = doctor()

    assert report.errors == []
    assert QUEUE_ARN in report.of("TC301")[0].text
