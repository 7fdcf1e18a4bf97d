"""What a plan needs to know of the account, asked of AWS; nothing is changed."""

from botocore.exceptions import ClientError

from trailcourier import aws
from trailcourier.errors import ConfigError, Unreachable
from trailcourier.provision.asking import Clients
from trailcourier.provision.request import Found, Request, misplaced

_HINTS = {
    "credentials": " (setup goes by AWS's default chain: AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, AWS_PROFILE or --profile NAME, `aws sso login`, an instance's role)",
    "network": " (check the network between, HTTPS_PROXY, AWS_CA_BUNDLE and AWS_ENDPOINT_URL)",
    "not-aws": " (log in to the portal, or see to HTTPS_PROXY, NO_PROXY and AWS_ENDPOINT_URL)",
}


def found(request: Request, clients: Clients) -> Found:
    """Ask whose account this is, and what else *request* leaves open.

    Raises ConfigError where it is another account than the one that was said, or a region that
    does not suit, Unreachable where AWS does not say.
    """
    try:
        told = clients("sts", request.region).get_caller_identity()
    except aws.ERRORS as error:
        raise _unreachable("whose account this is (sts:GetCallerIdentity)", error) from error
    account = str(told["Account"])
    if request.account and request.account != account:
        raise ConfigError(
            [f"--account {request.account}: these credentials are of account {account}"]
        )
    bucket_region = _bucket_region(request, clients)
    if wrong := misplaced(request, bucket_region):
        raise ConfigError(wrong)
    return Found(
        account=account,
        caller=str(told["Arn"]),
        bucket_region=bucket_region,
        organization_id=_organization(request, clients),
    )


def _bucket_region(request: Request, clients: Clients) -> str:
    if not request.existing_bucket or request.bucket_region:
        return request.bucket_region
    try:
        told = clients("s3", request.region).head_bucket(Bucket=request.bucket)
    except ClientError as error:  # S3 says where a bucket is even to who may not see it
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if region := headers.get("x-amz-bucket-region"):
            return str(region)
        if aws.codes(error) & {"404", "NoSuchBucket"}:
            told = f"--existing-bucket: there is no bucket {request.bucket}: check its name"
            made = "" if request.bucket_account else "; without --existing-bucket it is made"
            raise ConfigError([f"{told}{made}"]) from error
        raise _unreachable(f"where bucket {request.bucket} is", error) from error
    except aws.ERRORS as error:
        raise _unreachable(f"where bucket {request.bucket} is", error) from error
    return str(told.get("BucketRegion") or request.region)


def _organization(request: Request, clients: Clients) -> str:
    if not request.organization or request.organization_id:
        return request.organization_id
    try:
        told = clients("organizations", request.region).describe_organization()
    except aws.ERRORS as error:
        raise _unreachable("which organisation this is; --organization-id", error) from error
    return str(told["Organization"]["Id"])


def _unreachable(what: str, error: Exception) -> Unreachable:
    fault = aws.fault(error, what=what, where="")
    return Unreachable(f"AWS does not say {fault.detail}{_HINTS.get(fault.reason, '')}")
