"""Ask AWS for what a plan needs to know about the account; nothing is changed."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from trailcourier.aws import calls
from trailcourier.aws.calls import AwsCall
from trailcourier.errors import ConfigError, Fault, Unreachable
from trailcourier.provision import trail_lookup
from trailcourier.provision.permissions import explain_denial
from trailcourier.provision.request import AccountFacts, SetupRequest, check_regions
from trailcourier.provision.step_runner import Clients

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
    call = AwsCall("sts", "GetCallerIdentity", request.region)
    identity = _ask(call, clients, "whose account this is")
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
        plain_http=_is_plain_http(clients("s3", request.region)),
    )


def _is_plain_http(client: Any) -> bool:
    """Return whether S3 is reached without TLS, as only emulators are."""
    return str(getattr(client.meta, "endpoint_url", "")).startswith("http://")


def find_trails(request: SetupRequest, facts: AccountFacts, clients: Clients) -> AccountFacts:
    """Return *facts* with the trails that exist, or with why AWS does not show them."""
    found = trail_lookup.find(request.region, facts.account, clients)
    if found.failure is None:
        return replace(facts, trails=found.trails)
    if found.failure.denied:
        return replace(facts, trails_unread=str(explain_denial(found.failure, "*", facts.caller)))
    detail = found.failure.fault.detail if found.failure.fault else str(found.failure.call)
    return replace(facts, trails_unread=f"AWS does not say which trails exist: {detail}")


def _ask_bucket_region(request: SetupRequest, clients: Clients) -> str:
    if not request.existing_bucket or request.bucket_region:
        return request.bucket_region
    call = AwsCall("s3", "HeadBucket", request.region, parameters={"Bucket": request.bucket})
    answer = calls.make(call, partial(clients, call.service, call.region))
    if answer.codes & {"404", "NoSuchBucket"} and not answer.bucket_region:
        raise _no_such_bucket(request)
    if answer.fault and not answer.bucket_region:
        raise _unreachable(f"where bucket {request.bucket} is", answer.fault)
    return answer.bucket_region or request.region


def _no_such_bucket(request: SetupRequest) -> ConfigError:
    text = f"--existing-bucket: there is no bucket {request.bucket}: check its name"
    create = "" if request.bucket_account else "; without --existing-bucket, setup creates it"
    return ConfigError([f"{text}{create}"])


def _ask_organization(request: SetupRequest, clients: Clients) -> str:
    if not request.organization or request.organization_id:
        return request.organization_id
    call = AwsCall("organizations", "DescribeOrganization", request.region)
    answer = _ask(call, clients, "which organisation this is (or name it: --organization-id)")
    return str(answer["Organization"]["Id"])


def _ask(call: AwsCall, clients: Clients, what: str) -> Mapping[str, Any]:
    """Return the response to *call*.  Raises Unreachable, with *what* then is not known."""
    answer = calls.make(call, partial(clients, call.service, call.region))
    if answer.fault:
        raise _unreachable(what, answer.fault)
    return answer.response


def _unreachable(what: str, fault: Fault) -> Unreachable:
    return Unreachable(f"AWS does not say {what}: {fault.detail}{_ADVICE.get(fault.reason, '')}")
