"""A gate in front of moto that knows which call a request is, and denies the ones it is told to.

It answers as the service itself would: XML for S3, SNS, IAM and STS, JSON for the others, in the
words that AWS has for a denial.
"""

import json
import re
from typing import Self
from urllib.parse import parse_qs, urlsplit

import urllib3

from tests.support.http_stub import Reply, Request, Server

CALLER = "arn:aws:iam::123456789012:user/admin"
_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")
_S3 = {  # by method and the query's first name
    ("HEAD", ""): "HeadBucket",
    ("PUT", ""): "CreateBucket",
    ("DELETE", ""): "DeleteBucket",
    ("PUT", "tagging"): "PutBucketTagging",
    ("GET", "tagging"): "GetBucketTagging",
    ("PUT", "policy"): "PutBucketPolicy",
    ("GET", "policy"): "GetBucketPolicy",
    ("DELETE", "policy"): "DeleteBucketPolicy",
    ("PUT", "publicAccessBlock"): "PutPublicAccessBlock",
    ("GET", "publicAccessBlock"): "GetPublicAccessBlock",
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "versions"): "ListObjectVersions",
    ("PUT", "versioning"): "PutBucketVersioning",
    ("GET", "versioning"): "GetBucketVersioning",
    ("PUT", "object-lock"): "PutObjectLockConfiguration",
    ("GET", "object-lock"): "GetObjectLockConfiguration",
    ("PUT", "lifecycle"): "PutBucketLifecycleConfiguration",
    ("GET", "lifecycle"): "GetBucketLifecycleConfiguration",
    ("PUT", "notification"): "PutBucketNotificationConfiguration",
    ("GET", "notification"): "GetBucketNotificationConfiguration",
}
_HOP = {"connection", "transfer-encoding", "content-length", "content-encoding", "date", "server"}


class Gate:
    """Passes requests on to *url*; *calls* are those that came, ``service:Operation``."""

    def __init__(self, url: str) -> None:
        self.calls: list[str] = []
        self.denied: set[str] = set()
        self.answers: dict[str, Reply] = {}
        self._to = urllib3.PoolManager(retries=False, timeout=60)
        self._target = url
        self._server = Server(self._answer)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def changes(self) -> list[str]:
        """The calls that change something."""
        reads = ("Get", "List", "Head", "Describe")
        return [each for each in self.calls if not each.split(":")[1].startswith(reads)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self._to.clear()

    def _answer(self, request: Request) -> Reply:
        call = which(request)
        self.calls.append(call)
        if call in self.answers:
            return self.answers[call]
        if call in self.denied:
            return denial(call)
        given = self._to.request(
            request.method,
            self._target + request.target,
            body=request.body or None,
            headers={name: value for name, value in request.headers.items() if name != "host"},
            decode_content=False,
        )
        kept = tuple(
            (name, each) for name, each in given.headers.items() if name.lower() not in _HOP
        )
        return Reply(given.status, given.data, kept)


def which(request: Request) -> str:
    """The service and operation of a request."""
    scope = _SCOPE.search(request.headers.get("authorization", ""))
    service = {"tagging": "tag"}.get(scope[2], scope[2]) if scope else "?"
    if target := request.headers.get("x-amz-target"):
        return f"{service}:{target.rpartition('.')[2]}"
    if service == "s3":
        parts = urlsplit(request.target)
        key = parts.path.strip("/").partition("/")[2]
        query = parts.query.partition("&")[0].partition("=")[0]
        return f"s3:{request.method} object" if key else f"s3:{_S3[request.method, query]}"
    return f"{service}:{parse_qs(request.body.decode())['Action'][0]}"


def denial(call: str) -> Reply:
    """What AWS answers to a caller without permission."""
    service = call.partition(":")[0]
    action = call.lower() if service == "sqs" else call
    words = (
        f"User: {CALLER} is not authorized to perform: {action} on resource: "
        f"arn:aws:{service}:us-east-1:123456789012:thing because no identity-based policy allows "
        f"the {action} action"
    )
    if service == "s3":
        body = f"<Error><Code>AccessDenied</Code><Message>{words}</Message></Error>"
        return Reply(403, body.encode(), (("Content-Type", "application/xml"),))
    if service in {"sns", "iam", "sts"}:
        code = "AuthorizationError" if service == "sns" else "AccessDenied"
        fields = f"<Type>Sender</Type><Code>{code}</Code><Message>{words}</Message>"
        body = f"<ErrorResponse><Error>{fields}</Error><RequestId>1</RequestId></ErrorResponse>"
        return Reply(403, body.encode(), (("Content-Type", "text/xml"),))
    body = json.dumps({"__type": "AccessDeniedException", "message": words})
    return Reply(400, body.encode(), (("Content-Type", "application/x-amz-json-1.1"),))
