import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from trailcourier.errors import ConfigError, Unreachable
from trailcourier.provision import Found, Request, facts

ACCOUNT, ME = "111122223333", "arn:aws:iam::111122223333:user/me"


class Clients:
    """Answers by service and method; an error is raised."""

    def __init__(self, **answers):
        self.answers = {"get_caller_identity": {"Account": ACCOUNT, "Arn": ME}, **answers}

    def __call__(self, service, region):
        return self

    def __getattr__(self, method):
        def call(**given):
            answer = self.answers[method]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def denied(operation, **headers):
    metadata = {"HTTPHeaders": {name.replace("_", "-"): value for name, value in headers.items()}}
    told = {"Error": {"Code": "403", "Message": "no"}, "ResponseMetadata": metadata}
    return ClientError(told, operation)


def test_whose_account_it_is_is_asked():
    assert facts.found(Request(), Clients()) == Found(account=ACCOUNT, caller=ME)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"delivery": "s3"}, "the queue has to be in the bucket's region, eu-west-1"),
        ({"kms_key": "arn:aws:kms:us-east-1:111122223333:key/1"}, "log files want one of"),
    ],
)
def test_a_bucket_that_turns_out_elsewhere_than_it_has_to_be_is_said(choices, words):
    asked = Request(bucket="logs", existing_bucket=True, **choices)

    with pytest.raises(ConfigError, match=words):
        facts.found(asked, Clients(head_bucket={"BucketRegion": "eu-west-1"}))


def test_another_account_than_was_said_is_an_error():
    with pytest.raises(ConfigError, match="these credentials are of account 111122223333"):
        facts.found(Request(account="444455556666"), Clients())


def test_without_credentials_it_is_said_what_could_not_be_asked():
    with pytest.raises(Unreachable, match=r"whose account this is.*--profile NAME"):
        facts.found(Request(), Clients(get_caller_identity=NoCredentialsError()))


@pytest.mark.parametrize(
    ("owner", "made"), [("", "without --existing-bucket it is made"), (ACCOUNT, "")]
)
def test_an_existing_bucket_that_is_not_there_is_said_with_what_to_do(owner, made):
    absent = ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadBucket")
    asked = Request(bucket="lgos", existing_bucket=True, bucket_account=owner)

    with pytest.raises(ConfigError, match="there is no bucket lgos: check its name") as error:
        facts.found(asked, Clients(head_bucket=absent))

    assert str(error.value).endswith(made or "check its name")


@pytest.mark.parametrize(
    ("answer", "region"),
    [
        ({"BucketRegion": "eu-west-1"}, "eu-west-1"),
        ({}, "us-east-1"),
        (denied("HeadBucket", x_amz_bucket_region="ap-south-1"), "ap-south-1"),
    ],
)
def test_the_region_of_an_existing_bucket_is_asked_and_said_even_to_the_denied(answer, region):
    asked = Request(bucket="acme-logs", existing_bucket=True)

    assert facts.found(asked, Clients(head_bucket=answer)).bucket_region == region


def test_a_bucket_of_which_nothing_is_said_is_an_error():
    asked = Request(bucket="acme-logs", existing_bucket=True)

    with pytest.raises(Unreachable, match="where bucket acme-logs is"):
        facts.found(asked, Clients(head_bucket=denied("HeadBucket")))


def test_the_organisation_is_asked_unless_it_was_said():
    clients = Clients(describe_organization={"Organization": {"Id": "o-1234567890"}})
    said = Request(organization=True, organization_id="o-abcdefghij")

    assert facts.found(Request(organization=True), clients).organization_id == "o-1234567890"
    assert facts.found(said, Clients()).organization_id == "o-abcdefghij"
