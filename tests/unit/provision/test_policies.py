import json

import pytest

from trailcourier.provision import Found, Layout, Request, policies
from trailcourier.provision.documents import policy

KEY = "arn:aws:kms:us-east-1:111122223333:key/abc"


def layout(**choices):
    return Layout(Request(**{"account": "111122223333", **choices}), Found())


def sids(statements):
    return [each["Sid"] for each in statements]


def test_s41_the_minimum_is_the_one_of_the_manual():
    bucket, queue = policies.reader(layout(policy="minimum", bucket="logs"))

    assert bucket["Action"] == ["s3:Get*", "s3:List*"]
    assert bucket["Resource"] == ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"]
    assert queue["Action"] == ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
    assert queue["Resource"] == "arn:aws:sqs:us-east-1:111122223333:trailcourier"
    assert policy([bucket, queue])["Version"] == "2012-10-17"


def test_s40_the_recommended_lists_reads_and_extends_and_no_more():
    queue, read, list_ = policies.reader(layout(bucket="logs", prefix="audit"))

    assert queue["Action"] == [
        "sqs:ReceiveMessage", "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes",
    ]  # fmt: skip
    assert (read["Action"], read["Resource"]) == (
        "s3:GetObject", "arn:aws:s3:::logs/audit/AWSLogs/*",
    )  # fmt: skip
    assert list_["Action"] == ["s3:ListBucket", "s3:GetBucketLocation"]


@pytest.mark.parametrize("form", ["", "minimum", "kms"])
def test_with_a_key_every_form_may_decrypt(form):
    *_, decrypt = policies.reader(layout(kms_key=KEY, policy=form))

    assert (decrypt["Action"], decrypt["Resource"]) == ("kms:Decrypt", KEY)


ROLE = "arn:aws:iam::444455556666:role/logs"
THEIRS = {
    "bucket": "logs", "existing_bucket": True, "bucket_account": "444455556666",
    "bucket_role": ROLE,
}  # fmt: skip


@pytest.mark.parametrize("form", ["", "minimum"])
def test_a_role_for_the_bucket_leaves_the_reader_the_queue_alone(form):
    ours = layout(**THEIRS, policy=form)

    queue, take = policies.reader(ours)
    reads = policies.bucket_reader(ours)

    assert {verb.split(":")[0] for verb in queue["Action"]} == {"sqs"}
    assert (take["Action"], take["Resource"]) == ("sts:AssumeRole", ROLE)
    assert all(str(each["Action"]).count("s3:") for each in reads)
    assert all("arn:aws:s3:::logs" in str(each["Resource"]) for each in reads)


@pytest.mark.parametrize(
    ("encrypt", "reader", "role"),
    [(("logs",), 0, 1), (("queue",), 1, 0), (("logs", "queue"), 1, 1)],
    ids=str,
)
def test_with_a_role_for_the_bucket_each_may_decrypt_what_it_reads(encrypt, reader, role):
    ours = layout(**THEIRS, kms_key=KEY, encrypt=encrypt)

    assert sids(policies.reader(ours)).count("Decrypt") == reader
    assert sids(policies.bucket_reader(ours)).count("Decrypt") == role


def test_our_key_lets_the_buckets_role_decrypt_log_files():
    *_, last = policies.key(layout(**THEIRS, kms_key=KEY))

    assert (last["Principal"], last["Action"]) == ({"AWS": ROLE}, "kms:Decrypt")


def test_the_form_follows_from_the_choices():
    assert layout().form == "recommended"
    assert layout(kms_key="new").form == "kms"
    assert layout(bucket_account="444455556666").form == "cross-account"
    assert layout(kms_key="new", policy="minimum").form == "minimum"


def test_an_organisation_writes_below_its_own_id_too():
    ours = layout(organization=True, organization_id="o-1234567890", bucket="logs")

    _, write = policies.bucket(ours)

    assert write["Resource"] == [
        "arn:aws:s3:::logs/AWSLogs/111122223333/*",
        "arn:aws:s3:::logs/AWSLogs/o-1234567890/*",
    ]
    trail = "arn:aws:cloudtrail:us-east-1:111122223333:trail/trailcourier"
    assert write["Condition"]["StringEquals"]["aws:SourceArn"] == trail


@pytest.mark.parametrize(
    ("delivery", "service", "source"),
    [
        ("sns", "sns.amazonaws.com", "arn:aws:sns:us-east-1:111122223333:trailcourier"),
        ("s3", "s3.amazonaws.com", "arn:aws:s3:::logs"),
        (
            "eventbridge",
            "events.amazonaws.com",
            "arn:aws:events:us-east-1:111122223333:rule/trailcourier",
        ),
    ],
)
def test_s31_only_the_sender_of_the_chosen_way_may_send(delivery, service, source):
    (statement,) = policies.queue(layout(delivery=delivery, bucket="logs"))

    assert statement["Principal"] == {"Service": service}
    assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": source}
    owner = statement["Condition"].get("StringEquals")
    assert owner == ({"aws:SourceAccount": "111122223333"} if delivery == "s3" else None)


@pytest.mark.parametrize(
    ("encrypt", "wanted"),
    [
        (("logs",), ["Encrypt", "Describe"]),
        (("topic",), ["Topic"]),
        (("queue",), ["Queue"]),
        (("logs", "queue", "topic"), ["Encrypt", "Describe", "Topic", "Queue"]),
    ],
)
def test_a_key_lets_those_use_it_whose_things_it_encrypts(encrypt, wanted):
    found = policies.key(layout(kms_key="new", encrypt=encrypt))

    assert sids(found) == [f"Trailcourier{each}" for each in wanted]


def test_log_files_are_encrypted_for_this_trail_alone():
    encrypt, _ = policies.key(layout(kms_key="new"))

    assert encrypt["Condition"]["StringLike"] == {
        "kms:EncryptionContext:aws:cloudtrail:arn":
            "arn:aws:cloudtrail:*:111122223333:trail/*"
    }  # fmt: skip
    assert "aws:SourceArn" in encrypt["Condition"]["StringEquals"]


@pytest.mark.parametrize(
    ("region", "prefix", "ec2"),
    [
        ("us-east-1", "arn:aws:", "ec2.amazonaws.com"),
        ("us-gov-west-1", "arn:aws-us-gov:", "ec2.amazonaws.com"),
        ("cn-north-1", "arn:aws-cn:", "ec2.amazonaws.com.cn"),
        ("eusc-de-east-1", "arn:aws-eusc:", "ec2.amazonaws.com"),
    ],
)
def test_s01_s14_arns_and_principals_are_those_of_the_partition(region, prefix, ec2):
    ours = layout(region=region, reader="instance-profile", kms_key="new")

    statements = [
        *policies.bucket(ours), *policies.topic(ours), *policies.queue(ours),
        *policies.key(ours), *policies.key_owner(ours),
    ]  # fmt: skip
    text = json.dumps(statements)
    assert text.count("arn:") == text.count(prefix)
    assert policies.CLOUDTRAIL in text
    (trust,) = policies.trust(ours)
    assert trust["Principal"] == {"Service": ec2}


def test_a_role_of_a_pod_may_be_taken_by_eks_alone():
    (trust,) = policies.trust(layout(reader="pod-identity"))

    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]


def test_a_role_across_accounts_wants_the_external_id():
    who = "arn:aws:iam::444455556666:role/collector"

    (trust,) = policies.trust(layout(reader="cross-account", principal=who), "an-id")

    assert trust["Principal"] == {"AWS": who}
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "an-id"}}


def test_two_set_ups_that_share_a_bucket_have_statements_of_their_own():
    one, other = layout(name="one-more"), layout(name="other")

    assert not set(sids(policies.bucket(one))) & set(sids(policies.bucket(other)))
    assert all(sid.isalnum() for sid in sids(policies.bucket(one)))
