"""Translates errors of AWS calls to reasons; no other module does.

The error code decides, never the HTTP status alone.  SQS sends an older code and a modelled name;
either is recognised.  ``trailcourier.reasons`` explains each reason and its repair.
"""

import re
from typing import Any

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from obstore.exceptions import BaseError

from trailcourier.aws.metadata import MetadataSilent
from trailcourier.aws.responses import ForeignAnswer
from trailcourier.errors import ConfigError, Fault
from trailcourier.reason_names import ReasonName

AWS_ERRORS = (
    ClientError,
    BotoCoreError,
    ResponseParserError,
    BaseError,
    FileNotFoundError,
    ConfigError,
)
"""What ``to_fault`` translates; obstore raises FileNotFoundError for a 404."""

CREDENTIAL_REASONS = frozenset({"credentials", "instance-metadata"})
"""Reasons that say the keys are missing or rejected, so the session must load them again."""

DETAIL_LENGTH = 600  # characters of AWS's message kept in a detail

_CODES: dict[ReasonName, str] = {
    "credentials": """InvalidAccessKeyId InvalidClientTokenId UnrecognizedClientException
        SignatureDoesNotMatch InvalidSignatureException IncompleteSignature ExpiredToken
        ExpiredTokenException InvalidToken TokenRefreshRequired MissingAuthenticationToken
        MissingSecurityHeader InvalidSecurity NotSignedUp RegionDisabledException""",
    "clock-skew": "RequestTimeTooSkewed RequestExpired RequestInTheFuture",
    "throttled": """SlowDown ServiceUnavailable Throttling ThrottlingException ThrottledException
        RequestThrottled RequestThrottledException RequestLimitExceeded TooManyRequestsException
        BandwidthLimitExceeded OverLimit KMS.ThrottlingException KmsThrottled 503 429""",
    "aws-error": "InternalError InternalFailure InternalServerError ServiceFailure 500 502 504",
    "network": "RequestTimeout RequestTimeoutException",
    "region": """PermanentRedirect TemporaryRedirect Redirect AuthorizationHeaderMalformed
        IllegalLocationConstraintException 301 302 307""",
    "access-denied": """AccessDenied AccessDeniedException AuthorizationError
        AuthorizationErrorException UnauthorizedOperation AllAccessDisabled AccountProblem
        Forbidden 403""",
    "no-such-key": "NoSuchKey NoSuchVersion KeyTooLongError 404",
    "no-such-bucket": "NoSuchBucket",
    "no-such-queue": "NonExistentQueue QueueDoesNotExist InvalidAddress QueueDeletedRecently",
    "archived": "InvalidObjectState",
    "delete-marker": "MethodNotAllowed 405",
    "changed": "PreconditionFailed 412",
    "kms": """KMS.AccessDeniedException KMS.DisabledException KMS.NotFoundException
        KMS.InvalidStateException KMS.KMSInvalidStateException KMS.InvalidKeyUsageException
        KMS.OptInRequired KmsAccessDenied KmsDisabled KmsNotFound KmsInvalidState
        KmsInvalidKeyUsage KmsOptInRequired""",
}
_REASONS = {code: reason for reason, listed in _CODES.items() for code in listed.split()}
_QUEUE_REASONS: dict[ReasonName, ReasonName] = {
    "access-denied": "queue-denied",
    "kms": "queue-key",
    "aws-error": "queue-error",
}

_REASON_OF_CLASS: tuple[tuple[ReasonName, tuple[type[Exception], ...]], ...] = (
    ("instance-metadata", (MetadataSilent,)),
    ("not-aws", (ForeignAnswer,)),
    (
        "credentials",
        (
            boto.NoCredentialsError,
            boto.PartialCredentialsError,
            boto.CredentialRetrievalError,
            boto.MetadataRetrievalError,
            boto.ProfileNotFound,
            boto.ConfigParseError,
            boto.InvalidConfigError,
            boto.UnknownCredentialError,
            boto.InvalidIMDSEndpointError,
            boto.SSOError,
            boto.LoginError,
            boto.TokenRetrievalError,
            boto.MissingDependencyException,
        ),
    ),
    ("cut-short", (boto.ResponseStreamingError, boto.IncompleteReadError)),
    (
        "network",
        (
            boto.HTTPClientError,
            boto.ConnectionError,
            boto.InvalidProxiesConfigError,
            ResponseParserError,
            ConfigError,
        ),
    ),
    ("region", (boto.NoRegionError, boto.InvalidRegionError)),
)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PASSWORD = re.compile(r"://[^/\s@]+@")  # in the URL of a proxy
_STATUS = re.compile(r"status code: (\d{3})")
_STS_OPERATIONS = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})


def to_fault(error: Exception, *, what: str, where: str) -> Fault:
    """Return the Fault that *error* means.

    *what* describes the call (``"GetObject s3://b/k"``); *where* is the bucket, or ``"queue"``.
    """
    reason = _reason(error, queue=where == "queue")
    return Fault(reason, f"{what}: {_describe(error)}", where=where)


def codes(error: ClientError) -> frozenset[str]:
    """Return the codes of *error*, without the prefix of SQS's older codes."""
    body = _error_body(error)
    found = (body.get("Code", ""), body.get("QueryErrorCode", ""))
    return frozenset(code.removeprefix("AWS.SimpleQueueService.") for code in found if code)


def _error_body(error: ClientError) -> dict[str, Any]:
    return dict(error.response.get("Error", {}))


def _reason(error: Exception, *, queue: bool) -> ReasonName:
    if isinstance(error, ClientError):
        found = _reason_of_code(error)
    elif isinstance(error, BaseError | FileNotFoundError):
        found = _reason_of_status(str(error))
    else:
        found = next((name for name, kinds in _REASON_OF_CLASS if isinstance(error, kinds)), None)
    if queue:
        return _QUEUE_REASONS.get(found, found) if found else "queue-error"
    return found or "s3-error"


def _reason_of_code(error: ClientError) -> ReasonName | None:
    found_codes, operation = codes(error), error.operation_name
    found = next((_REASONS[code] for code in sorted(found_codes) if code in _REASONS), None)
    message = str(_error_body(error).get("Message", ""))
    if found == "credentials" and ("Signature expired" in message or "not yet current" in message):
        return "clock-skew"
    if operation in _STS_OPERATIONS and found in {None, "access-denied"}:
        return "credentials"
    if operation == "HeadBucket" and found_codes == {"404"}:
        return "no-such-bucket"
    if found == "no-such-key" and _header(error, "x-amz-delete-marker") == "true":
        return "delete-marker"
    return found


def _reason_of_status(message: str) -> ReasonName:
    """Return the reason for a 5xx status in obstore's *message*.

    For any other failure of obstore the reader repeats the request with boto3, to get its code.
    """
    status = _STATUS.search(message)
    return _REASONS.get(status.group(1), "s3-error") if status else "network"


def _header(error: ClientError, name: str) -> str:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get(name, ""))


def _describe(error: Exception) -> str:
    """Return one printable line: the code and AWS's message, which names who was denied what."""
    if isinstance(error, ClientError):
        body = _error_body(error)
        text = f"{body.get('Code')} at {error.operation_name}: {body.get('Message', '')}"
    elif isinstance(error, BaseError | FileNotFoundError):
        text = str(error).partition("\n\nDebug source")[0]
    elif isinstance(error, ForeignAnswer):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}"
    return _PASSWORD.sub("://***@", _UNPRINTABLE.sub(" ", text))[:DETAIL_LENGTH]
