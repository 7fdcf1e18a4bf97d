import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from obstore.exceptions import GenericError

from trailcourier.aws import faults
from trailcourier.errors import ConfigError
from trailcourier.reasons import REASONS


def client_error(code, operation="GetObject", *, modelled="", message="said", headers=None):
    return ClientError(
        {
            "Error": {"Code": code, "Message": message}
            | ({"QueryErrorCode": modelled} if modelled else {}),
            "ResponseMetadata": {"HTTPStatusCode": 400, "HTTPHeaders": headers or {}},
        },
        operation,
    )


OF_OBJECTS = {
    "credentials": "InvalidAccessKeyId SignatureDoesNotMatch ExpiredToken InvalidToken"
    " TokenRefreshRequired",
    "clock-skew": "RequestTimeTooSkewed",
    "region": "PermanentRedirect 301 AuthorizationHeaderMalformed TemporaryRedirect Redirect 307"
    " IllegalLocationConstraintException",
    "access-denied": "AccessDenied AuthorizationError 403 Forbidden",
    "no-such-key": "NoSuchKey NoSuchVersion KeyTooLongError",
    "no-such-bucket": "NoSuchBucket",
    "archived": "InvalidObjectState",
    "throttled": "SlowDown ServiceUnavailable 503",
    "aws-error": "InternalError",
    "kms": "KMS.DisabledException KMS.NotFoundException KMS.KMSInvalidStateException",
    "delete-marker": "MethodNotAllowed",
    "changed": "PreconditionFailed 412",
    "network": "RequestTimeout",
    "s3-error": "SomethingNew 418",
}
OF_QUEUES = {
    "queue-denied": "AccessDenied AccessDeniedException",
    "no-such-queue": "AWS.SimpleQueueService.NonExistentQueue QueueDoesNotExist InvalidAddress",
    "credentials": "InvalidClientTokenId UnrecognizedClientException SignatureDoesNotMatch"
    " ExpiredToken InvalidSecurity InvalidSignatureException ExpiredTokenException",
    "clock-skew": "RequestExpired",
    "throttled": "OverLimit RequestThrottled ThrottlingException KMS.ThrottlingException",
    "queue-key": "KMS.AccessDeniedException KmsAccessDenied KMS.DisabledException"
    " KMS.NotFoundException KMS.InvalidStateException KMS.OptInRequired",
    "queue-error": "ReceiptHandleIsInvalid AWS.SimpleQueueService.MessageNotInflight"
    " InvalidParameterValue AWS.SimpleQueueService.UnsupportedOperation InternalFailure",
}


def each(table):
    return [
        pytest.param(code, reason, id=code)
        for reason, codes in table.items()
        for code in codes.split()
    ]


@pytest.mark.parametrize(("code", "reason"), each(OF_OBJECTS))
def test_each_code_of_s3_has_its_reason(code, reason):
    fault = faults.to_fault(client_error(code), what="s3://acme-trail/k", where="acme-trail")

    assert fault.reason == reason
    assert fault.reason in REASONS
    assert fault.where == "acme-trail"


@pytest.mark.parametrize(("code", "reason"), each(OF_QUEUES))
def test_each_code_of_sqs_has_its_reason(code, reason):
    fault = faults.to_fault(client_error(code, "ReceiveMessage"), what="the queue", where="queue")

    assert fault.reason == reason
    assert fault.reason in REASONS


def test_the_modelled_name_decides_if_the_older_one_is_unknown():
    error = client_error("Odd", "ReceiveMessage", modelled="QueueDoesNotExist")

    assert faults.to_fault(error, what="q", where="queue").reason == "no-such-queue"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param("AccessDenied", "credentials", id="trust policy or external id"),
        pytest.param("ValidationError", "credentials", id="nothing that is a role"),
        pytest.param("RegionDisabledException", "credentials", id="STS off in that region"),
        pytest.param("Throttling", "throttled", id="throttled"),
    ],
)
def test_a_denial_of_sts_is_a_fault_of_the_credentials(code, reason):
    error = client_error(code, "AssumeRole")

    assert faults.to_fault(error, what="s3://b/k", where="b").reason == reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(
            client_error("404", "HeadBucket"), "no-such-bucket", id="no body to name the bucket"
        ),
        pytest.param(
            client_error("NoSuchKey", headers={"x-amz-delete-marker": "true"}),
            "delete-marker",
            id="the newest version is a delete marker",
        ),
        pytest.param(
            client_error("SignatureDoesNotMatch", message="Signature expired: 2026 is now earlier"),
            "clock-skew",
            id="SQS's way to say that the clock is off",
        ),
        pytest.param(
            client_error("InvalidSignatureException", message="Signature not yet current: 2026"),
            "clock-skew",
            id="and the other way round",
        ),
    ],
)
def test_a_code_with_two_meanings_gets_the_right_reason(error, reason):
    assert faults.to_fault(error, what="s3://b/k", where="b").reason == reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (boto.NoCredentialsError(), "credentials"),
        (boto.PartialCredentialsError(provider="env", cred_var="key"), "credentials"),
        (boto.CredentialRetrievalError(provider="x", error_msg="no"), "credentials"),
        (boto.ProfileNotFound(profile="x"), "credentials"),
        (ConfigError(["Invalid endpoint: x"]), "network"),
        (boto.EndpointConnectionError(endpoint_url="https://x"), "network"),
        (boto.ConnectTimeoutError(endpoint_url="https://x"), "network"),
        (boto.ReadTimeoutError(endpoint_url="https://x"), "network"),
        (boto.SSLError(endpoint_url="https://x", error="self-signed"), "network"),
        (boto.ProxyConnectionError(proxy_url="http://p"), "network"),
        (boto.ConnectionClosedError(endpoint_url="https://x"), "network"),
        (ResponseParserError("no XML"), "network"),  # of a proxy that answers for itself
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), "cut-short"),
        (boto.ResponseStreamingError(error="reset"), "cut-short"),
        (boto.NoRegionError(), "region"),
        (boto.InvalidRegionError(region_name="a b"), "region"),
        (boto.ParamValidationError(report="x"), "s3-error"),
        (GenericError("Error performing GET - status code: 503 Service Unavailable"), "throttled"),
        (GenericError("Error performing GET - status code: 500 Internal"), "aws-error"),
        (GenericError("Error performing GET - status code: 429 Too Many"), "throttled"),
        (GenericError("Error performing GET - HTTP error: error sending request"), "network"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{type(value).__name__}: {value}"[:60],
)
def test_each_error_without_a_code_has_its_reason(error, reason):
    assert isinstance(error, faults.AWS_ERRORS)
    assert faults.to_fault(error, what="s3://b/k", where="b").reason == reason


def test_a_denial_names_action_resource_and_caller_in_one_line():
    words = (
        "User: arn:aws:iam::111122223333:user/collector is not authorized to perform:\n"
        "s3:GetObject on resource: arn:aws:s3:::acme-trail/k"
    )

    fault = faults.to_fault(
        client_error("AccessDenied", message=words), what="s3://acme-trail/k", where="b"
    )

    for part in ("s3://acme-trail/k", "AccessDenied", "user/collector", "s3:GetObject"):
        assert part in fault.detail
    assert "\n" not in fault.detail


def test_the_message_of_an_error_is_one_line_of_limited_length():
    fault = faults.to_fault(
        client_error("Odd", message="a\x1b[2J\u2028" * 9000), what="x", where="b"
    )

    assert len(fault.detail) < 1000
    assert fault.detail.isprintable()


def test_the_password_of_a_proxy_is_masked():
    error = boto.ProxyConnectionError(proxy_url="http://user:hidden@proxy.example.com:3128")

    assert "hidden" not in faults.to_fault(error, what="x", where="b").detail
