import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from trailcourier.errors import ConfigError, Unreachable
from trailcourier.provision import AccountFacts, SetupRequest, account_facts

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
    response = {"Error": {"Code": "403", "Message": "no"}, "ResponseMetadata": metadata}
    return ClientError(response, operation)


def test_the_account_and_the_caller_are_asked():
    assert account_facts.collect(SetupRequest(), Clients()) == AccountFacts(
        account=ACCOUNT, caller=ME
    )


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"delivery": "s3"}, "the queue has to be in the bucket's region, eu-west-1"),
        ({"kms_key": "arn:aws:kms:us-east-1:111122223333:key/1"}, "log files need one in"),
    ],
)
def test_a_bucket_in_a_region_that_does_not_fit_is_an_error(choices, text):
    request = SetupRequest(bucket="logs", existing_bucket=True, **choices)

    with pytest.raises(ConfigError, match=text):
        account_facts.collect(request, Clients(head_bucket={"BucketRegion": "eu-west-1"}))


def test_credentials_of_another_account_are_an_error():
    with pytest.raises(ConfigError, match="these credentials are of account 111122223333"):
        account_facts.collect(SetupRequest(account="444455556666"), Clients())


def test_without_credentials_the_error_names_the_question_and_the_options():
    with pytest.raises(Unreachable, match=r"whose account this is.*--profile NAME"):
        account_facts.collect(SetupRequest(), Clients(get_caller_identity=NoCredentialsError()))


@pytest.mark.parametrize(
    ("owner", "advice"), [("", "without --existing-bucket, setup creates it"), (ACCOUNT, "")]
)
def test_a_missing_existing_bucket_is_an_error_with_advice(owner, advice):
    absent = ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadBucket")
    request = SetupRequest(bucket="lgos", existing_bucket=True, bucket_account=owner)

    with pytest.raises(ConfigError, match="there is no bucket lgos: check its name") as error:
        account_facts.collect(request, Clients(head_bucket=absent))

    assert str(error.value).endswith(advice or "check its name")


@pytest.mark.parametrize(
    ("answer", "region"),
    [
        ({"BucketRegion": "eu-west-1"}, "eu-west-1"),
        ({}, "us-east-1"),
        (denied("HeadBucket", x_amz_bucket_region="ap-south-1"), "ap-south-1"),
    ],
)
def test_the_region_of_an_existing_bucket_is_found_even_when_access_is_denied(answer, region):
    request = SetupRequest(bucket="acme-logs", existing_bucket=True)

    assert account_facts.collect(request, Clients(head_bucket=answer)).bucket_region == region


def test_a_bucket_whose_region_aws_does_not_name_is_an_error():
    request = SetupRequest(bucket="acme-logs", existing_bucket=True)

    with pytest.raises(Unreachable, match="where bucket acme-logs is"):
        account_facts.collect(request, Clients(head_bucket=denied("HeadBucket")))


def test_the_organisation_is_asked_unless_the_request_names_it():
    clients = Clients(describe_organization={"Organization": {"Id": "o-1234567890"}})
    named = SetupRequest(organization=True, organization_id="o-abcdefghij")

    assert (
        account_facts.collect(SetupRequest(organization=True), clients).organization_id
        == "o-1234567890"
    )
    assert account_facts.collect(named, Clients()).organization_id == "o-abcdefghij"
