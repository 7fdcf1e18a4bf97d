import pytest

from trailcourier.provision import AccountFacts, SetupRequest, check_request, list_unknown

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
def test_options_that_fit_together_have_no_problems(choices):
    assert check_request(SetupRequest(**choices)) == []


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        pytest.param({"name": "X"}, "--name X: expected 3 to 28", id="name"),
        pytest.param({"source": "a_b"}, "--source a_b: ", id="source"),
        pytest.param({"bucket": "UPPER"}, "--bucket UPPER: expected 3 to 63 of a-z", id="bucket"),
        pytest.param(
            {"bucket": "a/b", "existing_bucket": True},
            "--bucket a/b: expected the name of a bucket",
            id="bucket-there",
        ),
        pytest.param({"account": "1234"}, "--account 1234: expected 12 digits", id="acc"),
        pytest.param({"prefix": "/a"}, "--prefix: leave out the slash", id="slash"),
        pytest.param({"prefix": "a*"}, "--prefix a*: expected up to 200", id="star"),
        pytest.param({"topic": "cloudtrail"}, "--topic cloudtrail: expected arn:", id="topic"),
        pytest.param({"bucket_role": "logs"}, "--bucket-role logs: expected arn:", id="role"),
        pytest.param(
            {"bucket_role": "arn:aws:iam::444455556666:role/logs"},
            "--bucket-role: name its account, which has to be the bucket's, with --bucket-account",
            id="role-of-whom",
        ),
        pytest.param(
            {"bucket_role": "arn:aws-cn:iam::444455556666:role/logs"},
            "--bucket-role: is in partition aws-cn, but us-east-1 is in aws",
            id="role-in-china",
        ),
        pytest.param({"name": "two--dashes"}, "--name two--dashes: expected 3 to 28", id="dashes"),
        pytest.param({"tag": ("nothing",)}, "--tag nothing: expected KEY=VALUE", id="tag"),
        pytest.param({"tag": ("aws:x=y",)}, "--tag aws:x=y: expected KEY=VALUE", id="aws-tag"),
        pytest.param({"tag": ("trailcourier=x",)}, "--tag: trailcourier is the tag", id="our-tag"),
        pytest.param({"path": "security"}, "--path security: expected /, or names", id="path"),
        pytest.param(
            {"permissions_boundary": "limits"},
            "--permissions-boundary limits: expected arn",
            id="b",
        ),
        pytest.param(
            {"lock_days": 1, "bucket": "logs", "existing_bucket": True},
            "setup changes no settings of an existing bucket",
            id="lock",
        ),
        pytest.param(
            {"lock_days": 30, "expire_days": 7}, "deletes nothing that is still locked", id="expire"
        ),
        pytest.param({"kms_key": "alias/x"}, '--kms-key: expected "new" or', id="key"),
        pytest.param(
            {"delivery": "s3", "topic": TOPIC}, "need --delivery sns, not s3", id="s3-topic"
        ),
        pytest.param({"delivery": "eventbridge", "raw": True}, "need --delivery sns", id="raw"),
        pytest.param(
            {"delivery": "s3", "bucket_region": "eu-west-1"},
            "the queue has to be in the bucket's region",
            id="s3-region",
        ),
        pytest.param({"existing_bucket": True}, "--existing-bucket: name the bucket", id="which"),
        pytest.param({"trail": False}, "--no-trail: name the bucket", id="no-bucket"),
        pytest.param(
            {"trail": False, "bucket": "logs", "existing_bucket": True},
            "--no-trail: nothing would publish to a new topic",
            id="no-topic",
        ),
        pytest.param(
            {"trail": False, "data_events": ("all",), "topic": TOPIC},
            "apply only to a trail that setup creates",
            id="no-trail-data",
        ),
        pytest.param(
            {"bucket_account": "444455556666"},
            "--bucket-account: setup creates",
            id="new",
        ),
        pytest.param({"reader": "cross-account"}, "--principal: name who may assume", id="who"),
        pytest.param({"policy": "kms"}, "--policy kms: name the key", id="no-key"),
        pytest.param(
            {"policy": "cross-account"},
            "--policy cross-account: name",
            id="whose",
        ),
        pytest.param({"data_events": ("all", "b")}, "give all, or bucket names", id="all-and"),
        pytest.param(
            {"kms_key": "new", "bucket_region": "eu-west-1", "encrypt": ("logs", "queue")},
            "one new key serves one region",
            id="one-key",
        ),
        pytest.param(
            {"kms_key": KEY, "bucket_region": "eu-west-1"},
            "the key is in us-east-1; log files need one in the bucket's region, eu-west-1",
            id="key-of-the-bucket",
        ),
        pytest.param(
            {"kms_key": KEY, "region": "eu-west-1"},
            "log files need one in the bucket's region, eu-west-1",
            id="key-of-a-new-bucket",
        ),
        pytest.param(
            {"kms_key": KEY, "region": "eu-west-1", "encrypt": ("queue",)},
            "the key is in us-east-1; queue and topic need one in eu-west-1",
            id="key-of-the-queue",
        ),
        pytest.param(
            {"region": "us-gov-west-1", "topic": TOPIC},
            "--topic: is in partition aws, but us-gov-west-1 is in aws-us-gov",
            id="partition",
        ),
        pytest.param(
            {"bucket_region": "cn-north-1"}, "--bucket-region: is in another partition", id="bp"
        ),
    ],
)
def test_each_problem_names_its_option(choices, text):
    assert any(text in each for each in check_request(SetupRequest(**choices)))


def test_what_a_plan_does_not_know_is_listed_with_what_supplies_it():
    request = SetupRequest(bucket="b-1", existing_bucket=True, organization=True)

    assert [each.split(":")[0] for each in list_unknown(request, AccountFacts())] == [
        "the account", "the bucket's region", "the organisation",
    ]  # fmt: skip
    assert (
        list_unknown(request, AccountFacts("111122223333", "arn", "eu-west-1", "o-1234567890"))
        == []
    )
