import json

import pytest

from trailcourier.provision import AccountFacts, Layout, SetupRequest, policies
from trailcourier.provision.documents import policy_document

KEY = "arn:aws:kms:us-east-1:111122223333:key/abc"


def layout(**choices):
    return Layout(SetupRequest(**{"account": "111122223333", **choices}), AccountFacts())


def sids(statements):
    return [each["Sid"] for each in statements]


def test_the_minimum_form_has_the_manuals_four_actions():
    bucket, queue = policies.reader_statements(layout(policy="minimum", bucket="logs"))

    assert bucket["Action"] == ["s3:Get*", "s3:List*"]
    assert bucket["Resource"] == ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"]
    assert queue["Action"] == ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
    assert queue["Resource"] == "arn:aws:sqs:us-east-1:111122223333:trailcourier"
    assert policy_document([bucket, queue])["Version"] == "2012-10-17"


def test_the_recommended_form_reads_lists_and_extends_only():
    queue, read, list_ = policies.reader_statements(layout(bucket="logs", prefix="audit"))

    assert queue["Action"] == [
        "sqs:ReceiveMessage", "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes",
    ]  # fmt: skip
    assert (read["Action"], read["Resource"]) == (
        ["s3:GetObject", "s3:GetObjectVersion"], "arn:aws:s3:::logs/audit/AWSLogs/*",
    )  # fmt: skip
    assert list_["Action"] == ["s3:ListBucket", "s3:GetBucketLocation"]


@pytest.mark.parametrize("form", ["", "minimum", "kms"])
def test_with_a_key_every_form_allows_decrypt(form):
    *_, decrypt = policies.reader_statements(layout(kms_key=KEY, policy=form))

    assert (decrypt["Action"], decrypt["Resource"]) == ("kms:Decrypt", KEY)


ROLE = "arn:aws:iam::444455556666:role/logs"
THEIRS = {
    "bucket": "logs", "existing_bucket": True, "bucket_account": "444455556666",
    "bucket_role": ROLE,
}  # fmt: skip


@pytest.mark.parametrize("form", ["", "minimum"])
def test_with_a_bucket_role_the_reader_may_use_only_the_queue_and_that_role(form):
    ours = layout(**THEIRS, policy=form)

    queue, take = policies.reader_statements(ours)
    reads = policies.bucket_role_statements(ours)

    assert {verb.split(":")[0] for verb in queue["Action"]} == {"sqs"}
    assert (take["Action"], take["Resource"]) == ("sts:AssumeRole", ROLE)
    assert all(str(each["Action"]).count("s3:") for each in reads)
    assert all("arn:aws:s3:::logs" in str(each["Resource"]) for each in reads)


@pytest.mark.parametrize(
    ("encrypt", "reader", "role"),
    [(("logs",), 0, 1), (("queue",), 1, 0), (("logs", "queue"), 1, 1)],
    ids=str,
)
def test_with_a_bucket_role_each_identity_may_decrypt_what_it_reads(encrypt, reader, role):
    ours = layout(**THEIRS, kms_key=KEY, encrypt=encrypt)

    assert sids(policies.reader_statements(ours)).count("Decrypt") == reader
    assert sids(policies.bucket_role_statements(ours)).count("Decrypt") == role


def test_our_key_lets_the_bucket_role_decrypt_log_files():
    *_, last = policies.key_statements(layout(**THEIRS, kms_key=KEY))

    assert (last["Principal"], last["Action"]) == ({"AWS": ROLE}, "kms:Decrypt")


def test_the_default_form_follows_from_the_options():
    assert layout().policy_form == "recommended"
    assert layout(kms_key="new").policy_form == "kms"
    assert layout(bucket_account="444455556666").policy_form == "cross-account"
    assert layout(kms_key="new", policy="minimum").policy_form == "minimum"


def test_an_organisation_trail_also_writes_below_the_organisation_id():
    ours = layout(organization=True, organization_id="o-1234567890", bucket="logs")

    _, write = policies.bucket_statements(ours)

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
def test_only_the_sender_of_the_chosen_delivery_may_send(delivery, service, source):
    (statement,) = policies.queue_statements(layout(delivery=delivery, bucket="logs"))

    assert statement["Principal"] == {"Service": service}
    assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": source}
    operator = "StringEquals" if delivery == "s3" else "StringEqualsIfExists"
    assert statement["Condition"][operator] == {"aws:SourceAccount": "111122223333"}


@pytest.mark.parametrize(
    ("topic_region", "region", "service"),
    [
        ("us-east-1", "us-east-1", "sns.amazonaws.com"),
        ("us-east-1", "eu-west-1", "sns.amazonaws.com"),
        ("ap-east-1", "ap-east-1", "sns.amazonaws.com"),
        ("ap-east-1", "us-east-1", "sns.ap-east-1.amazonaws.com"),
        ("us-east-1", "eu-south-1", "sns.eu-south-1.amazonaws.com"),
        ("ap-east-1", "eu-south-1", "sns.eu-south-1.amazonaws.com"),
        ("us-gov-east-1", "us-gov-west-1", "sns.amazonaws.com"),
    ],
)
def test_across_regions_an_opt_in_region_has_its_own_sns_principal(topic_region, region, service):
    partition = "aws-us-gov" if "gov" in region else "aws"
    topic = f"arn:{partition}:sns:{topic_region}:111122223333:cloudtrail"

    ours = layout(topic=topic, region=region, kms_key="new", encrypt=("queue",))
    (send,), (use,) = policies.queue_statements(ours), policies.key_statements(ours)

    assert send["Principal"] == use["Principal"] == {"Service": service}


@pytest.mark.parametrize("delivery", ["sns", "s3", "eventbridge"])
def test_every_statement_for_a_service_names_its_source_and_the_account(delivery):
    ours = layout(delivery=delivery, bucket="logs", kms_key="new",
                  encrypt=("logs", "queue", "topic"))  # fmt: skip

    for statement in (
        *policies.bucket_statements(ours), *policies.topic_statements(ours),
        *policies.queue_statements(ours), *policies.key_statements(ours),
    ):  # fmt: skip
        keys = {key for values in statement["Condition"].values() for key in values}
        assert {"aws:SourceArn", "aws:SourceAccount"} <= keys, statement["Sid"]


def test_an_organisation_trail_also_writes_for_other_accounts():
    ours = layout(organization=True, organization_id="o-1234567890", bucket="logs")

    assert "aws:SourceAccount" not in json.dumps(policies.bucket_statements(ours))


def test_a_new_bucket_denies_plain_http():
    statement = policies.secure_transport_statement(layout(bucket="logs"))

    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"]


@pytest.mark.parametrize(
    ("encrypt", "wanted"),
    [
        (("logs",), ["Encrypt", "Describe"]),
        (("topic",), ["Topic"]),
        (("queue",), ["Queue"]),
        (("logs", "queue", "topic"), ["Encrypt", "Describe", "Topic", "Queue"]),
    ],
)
def test_a_key_lets_the_services_use_it_that_need_what_it_encrypts(encrypt, wanted):
    found = policies.key_statements(layout(kms_key="new", encrypt=encrypt))

    assert sids(found) == [f"Trailcourier{each}" for each in wanted]


def test_the_key_encrypts_log_files_for_this_trail_only():
    encrypt, _ = policies.key_statements(layout(kms_key="new"))

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
def test_arns_and_principals_belong_to_the_partition(region, prefix, ec2):
    ours = layout(region=region, reader="instance-profile", kms_key="new")

    statements = [
        *policies.bucket_statements(ours),
        *policies.topic_statements(ours),
        *policies.queue_statements(ours),
        *policies.key_statements(ours),
        *policies.key_owner_statements(ours),
    ]
    text = json.dumps(statements)
    assert text.count("arn:") == text.count(prefix)
    assert policies.CLOUDTRAIL in text
    (trust,) = policies.trust_statements(ours)
    assert trust["Principal"] == {"Service": ec2}


def test_only_eks_may_assume_the_role_of_a_pod():
    (trust,) = policies.trust_statements(layout(reader="pod-identity"))

    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]


def test_a_role_for_another_account_requires_the_external_id():
    who = "arn:aws:iam::444455556666:role/collector"

    (trust,) = policies.trust_statements(layout(reader="cross-account", principal=who), "an-id")

    assert trust["Principal"] == {"AWS": who}
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "an-id"}}


def test_two_set_ups_that_share_a_bucket_have_different_sids():
    one, other = layout(name="one-more"), layout(name="other")

    assert not set(sids(policies.bucket_statements(one))) & set(
        sids(policies.bucket_statements(other))
    )
    assert all(sid.isalnum() for sid in sids(policies.bucket_statements(one)))
