import pytest

from trailcourier.provision import Found, Request, problems, unknown

KEY = "arn:aws:kms:us-east-1:444455556666:key/1234"
TOPIC = "arn:aws:sns:us-east-1:444455556666:cloudtrail"


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param({}, id="default"),
        pytest.param({"delivery": "s3", "reader": "none"}, id="s3"),
        pytest.param(
            {"trail": False, "topic": TOPIC, "bucket": "logs", "existing_bucket": True},
            id="somebody-elses-trail",
        ),
        pytest.param({"kms_key": "new", "policy": "kms"}, id="kms"),
        pytest.param(
            {"kms_key": KEY, "region": "eu-west-1", "bucket": "logs", "existing_bucket": True},
            id="a-key-for-a-bucket-that-may-be-anywhere",
        ),
        pytest.param(
            {
                "bucket": "logs",
                "existing_bucket": True,
                "bucket_account": "444455556666",
                "bucket_role": "arn:aws:iam::444455556666:role/logs",
            },
            id="role-for-the-bucket",
        ),
        pytest.param({"bucket": "Acme_Logs", "existing_bucket": True}, id="bucket-of-before-2018"),
    ],
)
def test_what_makes_sense_has_no_problems(choices):
    assert problems(Request(**choices)) == []


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        pytest.param({"name": "X"}, "--name X: it takes 3 to 28", id="name"),
        pytest.param({"source": "a_b"}, "--source a_b: ", id="source"),
        pytest.param({"bucket": "UPPER"}, "--bucket UPPER: it takes 3 to 63 of a-z", id="bucket"),
        pytest.param(
            {"bucket": "a/b", "existing_bucket": True},
            "--bucket a/b: it takes a bucket's name",
            id="bucket-there",
        ),
        pytest.param({"account": "1234"}, "--account 1234: it takes 12 digits", id="acc"),
        pytest.param({"prefix": "/a"}, "--prefix: neither begins nor ends", id="slash"),
        pytest.param({"prefix": "a*"}, "--prefix a*: it takes up to 200", id="star"),
        pytest.param({"topic": "cloudtrail"}, "--topic cloudtrail: it takes arn:", id="topic"),
        pytest.param({"bucket_role": "logs"}, "--bucket-role logs: it takes arn:", id="role"),
        pytest.param(
            {"bucket_role": "arn:aws:iam::444455556666:role/logs"},
            "--bucket-role: is a role of the bucket's own account: say which with --bucket-account",
            id="role-of-whom",
        ),
        pytest.param(
            {"bucket_role": "arn:aws-cn:iam::444455556666:role/logs"},
            "--bucket-role: is in partition aws-cn, and us-east-1 in aws",
            id="role-in-china",
        ),
        pytest.param({"kms_key": "alias/x"}, '--kms-key: is neither "new" nor', id="key"),
        pytest.param(
            {"delivery": "s3", "topic": TOPIC}, "go with --delivery sns, not with s3", id="s3-topic"
        ),
        pytest.param({"delivery": "eventbridge", "raw": True}, "go with --delivery sns", id="raw"),
        pytest.param(
            {"delivery": "s3", "bucket_region": "eu-west-1"},
            "the queue has to be in the bucket's region",
            id="s3-region",
        ),
        pytest.param({"existing_bucket": True}, "--existing-bucket: needs --bucket", id="which"),
        pytest.param({"trail": False}, "--no-trail: the log files lie somewhere", id="no-bucket"),
        pytest.param(
            {"trail": False, "bucket": "logs", "existing_bucket": True},
            "--no-trail: nobody would publish to a new topic",
            id="no-topic",
        ),
        pytest.param(
            {"trail": False, "data_events": ("all",), "topic": TOPIC},
            "are about a trail of setup's own",
            id="no-trail-data",
        ),
        pytest.param({"bucket_account": "444455556666"}, "--bucket-account: a bucket of", id="new"),
        pytest.param({"reader": "cross-account"}, "--principal: say who may assume", id="who"),
        pytest.param({"policy": "kms"}, "--policy kms: say which key", id="no-key"),
        pytest.param({"policy": "cross-account"}, "--policy cross-account: say whose", id="whose"),
        pytest.param({"data_events": ("all", "b")}, "all, or buckets by name", id="all-and"),
        pytest.param(
            {"kms_key": "new", "bucket_region": "eu-west-1", "encrypt": ("logs", "queue")},
            "one new key cannot serve",
            id="one-key",
        ),
        pytest.param(
            {"kms_key": KEY, "bucket_region": "eu-west-1"},
            "--kms-key: is in us-east-1, and log files want one of the bucket's, eu-west-1",
            id="key-of-the-bucket",
        ),
        pytest.param(
            {"kms_key": KEY, "region": "eu-west-1"},
            "log files want one of the bucket's, eu-west-1",
            id="key-of-a-new-bucket",
        ),
        pytest.param(
            {"kms_key": KEY, "region": "eu-west-1", "encrypt": ("queue",)},
            "--kms-key: is in us-east-1, and queue and topic want one of eu-west-1",
            id="key-of-the-queue",
        ),
        pytest.param(
            {"region": "us-gov-west-1", "topic": TOPIC},
            "--topic: is in partition aws, and us-gov-west-1 in aws-us-gov",
            id="partition",
        ),
        pytest.param(
            {"bucket_region": "cn-north-1"}, "--bucket-region: is in another partition", id="bp"
        ),
    ],
)
def test_each_problem_names_its_option(choices, words):
    assert any(words in each for each in problems(Request(**choices)))


def test_what_a_plan_cannot_know_is_said_with_how_it_is_found():
    asked = Request(bucket="b-1", existing_bucket=True, organization=True)

    assert [each.split(":")[0] for each in unknown(asked, Found())] == [
        "the account", "the bucket's region", "the organisation",
    ]  # fmt: skip
    assert unknown(asked, Found("111122223333", "arn", "eu-west-1", "o-1234567890")) == []
