"""Ask AWS for what a plan needs to know about the account; nothing is changed."""

from botocore.exceptions import ClientError

from trailcourier.aws import faults
from trailcourier.errors import ConfigError, Unreachable
from trailcourier.provision.calls import Clients
from trailcourier.provision.request import AccountFacts, SetupRequest, check_regions

_ADVICE = {
    "credentials": " (setup uses AWS's default chain: AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, AWS_PROFILE or --profile NAME, `aws sso login`, an instance's role)",
    "network": " (check the network, HTTPS_PROXY, AWS_CA_BUNDLE and AWS_ENDPOINT_URL)",
    "not-aws": " (log in to the portal, or check HTTPS_PROXY, NO_PROXY and AWS_ENDPOINT_URL)",
}


def collect(request: SetupRequest, clients: Clients) -> AccountFacts:
    """Ask whose account the credentials are of, and what else *request* leaves open.

    Raises ConfigError where the account is not the one of ``--account`` or a region does not fit,
    Unreachable where AWS does not answer.
    """
    try:
        identity = clients("sts", request.region).get_caller_identity()
    except faults.AWS_ERRORS as error:
        raise _unreachable("whose account this is (sts:GetCallerIdentity)", error) from error
    account = str(identity["Account"])
    if request.account and request.account != account:
        text = f"these credentials are of account {account}: use others (--profile), or correct it"
        raise ConfigError([f"--account {request.account}: {text}"])
    bucket_region = _ask_bucket_region(request, clients)
    if misplaced := check_regions(request, bucket_region):
        raise ConfigError(misplaced)
    return AccountFacts(
        account=account,
        caller=str(identity["Arn"]),
        bucket_region=bucket_region,
        organization_id=_ask_organization(request, clients),
    )


def _ask_bucket_region(request: SetupRequest, clients: Clients) -> str:
    if not request.existing_bucket or request.bucket_region:
        return request.bucket_region
    try:
        answer = clients("s3", request.region).head_bucket(Bucket=request.bucket)
    except ClientError as error:  # S3 names the region even to a caller whom it denies
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if region := headers.get("x-amz-bucket-region"):
            return str(region)
        if faults.codes(error) & {"404", "NoSuchBucket"}:
            raise _no_such_bucket(request) from error
        raise _unreachable(f"where bucket {request.bucket} is", error) from error
    except faults.AWS_ERRORS as error:
        raise _unreachable(f"where bucket {request.bucket} is", error) from error
    return str(answer.get("BucketRegion") or request.region)


def _no_such_bucket(request: SetupRequest) -> ConfigError:
    text = f"--existing-bucket: there is no bucket {request.bucket}: check its name"
    create = "" if request.bucket_account else "; without --existing-bucket, setup creates it"
    return ConfigError([f"{text}{create}"])


def _ask_organization(request: SetupRequest, clients: Clients) -> str:
    if not request.organization or request.organization_id:
        return request.organization_id
    try:
        answer = clients("organizations", request.region).describe_organization()
    except faults.AWS_ERRORS as error:
        what = "which organisation this is (or name it: --organization-id)"
        raise _unreachable(what, error) from error
    return str(answer["Organization"]["Id"])


def _unreachable(what: str, error: Exception) -> Unreachable:
    fault = faults.to_fault(error, what=what, where="")
    return Unreachable(f"AWS does not say {fault.detail}{_ADVICE.get(fault.reason, '')}")
