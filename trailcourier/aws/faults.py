"""What an error of AWS means: the one translation from its codes to a reason.

Codes decide, never a status alone.  SQS answers with an older code and a modelled name; either
will do.  What each reason means and how to repair it is in ``dispositions``.
"""

import re
from typing import Any

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from obstore.exceptions import BaseError

from trailcourier.aws.answers import ForeignAnswer
from trailcourier.aws.metadata import MetadataSilent
from trailcourier.errors import ConfigError, Fault

ERRORS = (
    ClientError,
    BotoCoreError,
    ResponseParserError,
    BaseError,
    FileNotFoundError,
    ConfigError,
)
"""What a call may raise that ``fault`` knows; obstore says FileNotFoundError for a 404."""

OF_KEYS = frozenset({"credentials", "instance-metadata"})
"""Reasons after which keys are made anew, for there are none or they are not taken."""

LONGEST = 600  # characters of AWS's words in a detail

_CODES = {
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
    "access-denied": """AccessDenied AccessDeniedException AuthorizationError AllAccessDisabled
        AccountProblem Forbidden 403""",
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
_OF_QUEUES = {"access-denied": "queue-denied", "kms": "queue-key", "aws-error": "queue-error"}

_CLASSES: tuple[tuple[str, tuple[type[Exception], ...]], ...] = (
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
_PASSWORD = re.compile(r"://[^/\s@]+@")  # of a proxy
_STATUS = re.compile(r"status code: (\d{3})")
_STS = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})


def fault(error: Exception, *, what: str, where: str) -> Fault:
    """Say what *error* means for who asked *what* (``"GetObject s3://b/k"``).

    *where* is the bucket, or ``"queue"``.
    """
    reason = _reason(error, queue=where == "queue")
    return Fault(reason, f"{what}: {_words(error)}", where=where)


def codes(error: ClientError) -> frozenset[str]:
    """Return the names an error goes by, less the prefix that older ones of SQS carry."""
    told = _told(error)
    named = (told.get("Code", ""), told.get("QueryErrorCode", ""))
    return frozenset(name.removeprefix("AWS.SimpleQueueService.") for name in named if name)


def _told(error: ClientError) -> dict[str, Any]:
    return dict(error.response.get("Error", {}))


def _reason(error: Exception, *, queue: bool) -> str:
    if isinstance(error, ClientError):
        found = _by_code(error)
    elif isinstance(error, BaseError | FileNotFoundError):
        found = _by_status(str(error))
    else:
        found = next((name for name, kinds in _CLASSES if isinstance(error, kinds)), "")
    if queue:
        return _OF_QUEUES.get(found, found) or "queue-error"
    return found or "s3-error"


def _by_code(error: ClientError) -> str:
    named, operation = codes(error), error.operation_name
    found = next((_REASONS[name] for name in sorted(named) if name in _REASONS), "")
    said = str(_told(error).get("Message", ""))
    if found == "credentials" and ("Signature expired" in said or "not yet current" in said):
        return "clock-skew"
    if operation in _STS and found in {"", "access-denied"}:
        return "credentials"
    if operation == "HeadBucket" and named == {"404"}:
        return "no-such-bucket"
    if found == "no-such-key" and _header(error, "x-amz-delete-marker") == "true":
        return "delete-marker"
    return found


def _by_status(said: str) -> str:
    """Read what obstore says of a 5xx it gave up on; for the rest the code is asked otherwise."""
    status = _STATUS.search(said)
    return _REASONS.get(status.group(1), "s3-error") if status else "network"


def _header(error: ClientError, name: str) -> str:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get(name, ""))


def _words(error: Exception) -> str:
    """Return one printable line: the code and AWS's own words, which name who was denied what."""
    if isinstance(error, ClientError):
        told = _told(error)
        said = f"{told.get('Code')} at {error.operation_name}: {told.get('Message', '')}"
    elif isinstance(error, BaseError | FileNotFoundError):
        said = str(error).partition("\n\nDebug source")[0]
    elif isinstance(error, ForeignAnswer):
        said = str(error)
    else:
        said = f"{type(error).__name__}: {error}"
    return _PASSWORD.sub("://***@", _UNPRINTABLE.sub(" ", said))[:LONGEST]
