"""The gate of AWS before moto's server: keys, clocks, permissions, regions.

moto keeps the state and speaks the protocols.  What it does not do, or words in another way, is
answered here as AWS does: who is unknown or expired, whose clock is off, what is denied, which
region a bucket must be asked in.  A single answer can be given in moto's place.
"""

import asyncio
import dataclasses
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote

import urllib3

from tests.support.aws_answers import s3_error, sqs_error, sts_keys
from tests.support.http_stub import Reply, Request, Server

ACCOUNT = "123456789012"
OWNER = f"arn:aws:iam::{ACCOUNT}:user/collector"
KEY = "AKIAEXAMPLE"

_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_PASSED = ("content-type", "x-amz", "etag", "last-modified", "content-range")
_SUBRESOURCES = {
    "notification": "s3:GetBucketNotification",
    "location": "s3:GetBucketLocation",
    "policy": "s3:GetBucketPolicy",
}


class Asked(NamedTuple):
    """One request, as a policy sees it."""

    key: str
    region: str
    service: str
    action: str  # "sqs:ReceiveMessage"
    bucket: str
    object: str
    given: dict[str, Any]


@dataclasses.dataclass
class Holder:
    """Whose an access key is; *state* is good, revoked, expired or wrong-secret."""

    arn: str = OWNER
    state: str = "good"
    allowed: tuple[str, ...] | None = None  # patterns of actions; None: all
    account: str = ACCOUNT


@dataclasses.dataclass
class Role:
    external_id: str | None = None
    open: bool = True


class Front:
    """Serves on 127.0.0.1 what *moto*, the URL of its server, serves, as AWS would let it.

    *denied* maps an action to AWS's reason.  *answers* gives, for an action, a function that
    answers in moto's place, or returns None to let moto; *changes* one that alters what moto
    answers.  *clock* is seconds AWS is ahead of us.
    """

    def __init__(self, moto: str) -> None:
        self._moto = moto
        self._pool = urllib3.PoolManager(maxsize=8, retries=False)
        self.server = Server(self._answer)
        self.reset()

    def reset(self) -> None:
        self.holders: dict[str, Holder] = {KEY: Holder()}
        self.roles: dict[str, Role] = {}
        self.denied: dict[str, str] = {}
        self.answers: dict[str, Callable[[Asked], Reply | None]] = {}
        self.changes: dict[str, Callable[[Reply], Reply]] = {}
        self.regions: dict[str, str] = {}  # of buckets that must be asked for in their region
        self.redirects = "301"  # or "400": how S3 says that a bucket is elsewhere
        self.owners: dict[str, str] = {}  # of buckets: the account
        self.silent: set[str] = set()  # services that take a request and answer nothing
        self.unanswered: dict[str, threading.Event] = defaultdict(threading.Event)
        self.clock = 0.0
        self.log: list[Asked] = []

    @property
    def url(self) -> str:
        return self.server.url

    def asked(self, action: str = "*") -> list[Asked]:
        return [each for each in self.log if fnmatchcase(each.action, action)]

    def close(self) -> None:
        self.server.close()
        self._pool.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # requests, in the server's thread

    def _answer(self, request: Request) -> Awaitable[Reply | None]:
        return self._served(request)

    async def _served(self, request: Request) -> Reply | None:
        asked = _read(request)
        self.log.append(asked)
        if asked.service in self.silent:
            self.unanswered[asked.service].set()
            await asyncio.Event().wait()
        reply = self._kept_out(request, asked) or self._known(asked)
        if reply is None:
            reply = await asyncio.to_thread(self._forwarded, request)
            reply = self.changes.get(asked.action, _as_it_is)(reply)
        date = ("Date", formatdate(time.time() + self.clock, usegmt=True))
        return reply._replace(headers=(*reply.headers, date))

    def _kept_out(self, request: Request, asked: Asked) -> Reply | None:
        """The answer to who may not pass."""
        holder = self.holders.get(asked.key)
        signed = datetime.fromisoformat(request.headers["x-amz-date"])
        behind = time.time() + self.clock - signed.timestamp()
        if abs(behind) > 300:
            return _skewed(asked, behind)
        if holder is None or holder.state != "good":
            return _refused(asked, holder.state if holder else "revoked")
        if asked.service == "s3" and (elsewhere := self._elsewhere(request, asked)):
            return elsewhere
        if why := self._denial(holder, asked):
            words = (
                f"User: {holder.arn} is not authorized to perform: {asked.action} on resource: "
                f"{_resource(asked)} because {why}"
            )
            return _denied(request, asked, words)
        return None

    def _denial(self, holder: Holder, asked: Asked) -> str:
        if asked.action == "sts:GetCallerIdentity" and asked.action not in self.denied:
            return ""
        if asked.action in self.denied:
            return self.denied[asked.action] or _UNSAID.format(asked.action)
        if holder.allowed is None or any(fnmatchcase(asked.action, x) for x in holder.allowed):
            return ""
        return _UNSAID.format(asked.action)

    def _elsewhere(self, request: Request, asked: Asked) -> Reply | None:
        home = self.regions.get(asked.bucket)
        region = ("x-amz-bucket-region", home or "")
        if home is not None and home != asked.region:
            if self.redirects == "400":
                inside = f"<Region>{home}</Region>"
                wrong = s3_error(400, "AuthorizationHeaderMalformed", region, inside=inside)
            else:
                inside = f"<Endpoint>{asked.bucket}.s3.{home}.amazonaws.com</Endpoint>"
                wrong = s3_error(301, "PermanentRedirect", region, inside=inside)
            return wrong._replace(body=b"") if request.method == "HEAD" else wrong
        owner = self.owners.get(asked.bucket, ACCOUNT)
        wanted = request.headers.get("x-amz-expected-bucket-owner", owner)
        return _denied(request, asked, "Access Denied") if wanted != owner else None

    def _known(self, asked: Asked) -> Reply | None:
        """The answer given in moto's place."""
        if answer := self.answers.get(asked.action):
            reply = answer(asked)
            if reply is not None:
                return reply
        if asked.action == "sts:GetCallerIdentity":
            holder = self.holders[asked.key]
            return _query(
                f"<GetCallerIdentityResult><Arn>{holder.arn}</Arn><UserId>AIDAEXAMPLE</UserId>"
                f"<Account>{holder.account}</Account></GetCallerIdentityResult>",
                "GetCallerIdentityResponse",
            )
        if asked.action == "sts:AssumeRole":
            return self._assumed(asked)
        return None

    def _assumed(self, asked: Asked) -> Reply:
        arn = asked.given["RoleArn"]
        role = self.roles.get(arn)
        given = asked.given.get("ExternalId")
        if role is None or not role.open or role.external_id != given:
            words = (
                f"User: {self.holders[asked.key].arn} is not authorized to perform: "
                f"sts:AssumeRole on resource: {arn}"
            )
            return _query_error(403, "AccessDenied", words)
        key = f"ASIA{arn.rpartition('/')[2].upper()}"
        session = arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
        self.holders.setdefault(key, Holder(f"{session}/{asked.given['RoleSessionName']}"))
        return sts_keys(key)

    def _forwarded(self, request: Request) -> Reply:
        headers = {k: v for k, v in request.headers.items() if k not in ("content-length", "date")}
        answer = self._pool.request(
            request.method,
            f"{self._moto}{request.target}",
            body=request.body or None,
            headers=headers,
            decode_content=False,
            redirect=False,
            timeout=20,
        )
        kept = tuple((k, v) for k, v in answer.headers.items() if k.lower().startswith(_PASSED))
        length = answer.headers.get("content-length")
        return Reply(answer.status, answer.data, kept, length=int(length) if length else None)


def _as_it_is(reply: Reply) -> Reply:
    return reply


_UNSAID = "no identity-based policy allows the {} action"


def _read(request: Request) -> Asked:
    scope = _SCOPE.search(request.headers.get("authorization", ""))
    key, region, service = scope.groups() if scope else ("", "", "")
    service = "cloudwatch" if service == "monitoring" else service  # as it is signed
    target = request.headers.get("x-amz-target", "").rpartition(".")[2]
    if service == "s3":
        return _read_s3(request, key, region)
    if target:
        return Asked(key, region, service, f"{service}:{target}", "", "", json.loads(request.body))
    given = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    return Asked(key, region, service, f"{service}:{given.get('Action')}", "", "", given)


def _read_s3(request: Request, key: str, region: str) -> Asked:
    path, _, query = request.target.partition("?")
    bucket, _, name = unquote(path).lstrip("/").partition("/")
    given = {k: v[0] for k, v in parse_qs(query, keep_blank_values=True).items()}
    about = next((_SUBRESOURCES[each] for each in given if each in _SUBRESOURCES), "")
    action = about or ("s3:GetObject" if name else "s3:ListBucket" if bucket else _ALL)
    return Asked(key, region, "s3", action, bucket, name, {"method": request.method, **given})


_ALL = "s3:ListAllMyBuckets"


def _resource(asked: Asked) -> str:
    if asked.service == "s3":
        return f"arn:aws:s3:::{asked.bucket}{f'/{asked.object}' if asked.object else ''}"
    if asked.service == "sqs":
        name = str(asked.given.get("QueueUrl", "")).rpartition("/")[2]
        return f"arn:aws:sqs:{asked.region}:{ACCOUNT}:{name}"
    return str(asked.given.get("TopicArn") or asked.given.get("KeyId") or "*")


def _denied(request: Request, asked: Asked, words: str) -> Reply:
    match asked.service:
        case "s3":
            home = ("x-amz-bucket-region", asked.region)
            if request.method == "HEAD":
                return Reply(403, headers=(home,))
            return s3_error(403, "AccessDenied", home, words=words)
        case "sqs":
            return sqs_error(403, "AccessDenied", "AccessDeniedException", words)
        case "sns":
            return _query_error(403, "AuthorizationError", words)
        case "sts":
            return _query_error(403, "AccessDenied", words)
        case _:
            return json_error(400, "AccessDeniedException", words)


def _refused(asked: Asked, state: str) -> Reply:
    """What each protocol calls keys it does not take."""
    by_state = {
        "revoked": ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"),
        "expired": ("ExpiredToken", "ExpiredTokenException", "ExpiredToken"),
        "wrong-secret": (
            "SignatureDoesNotMatch", "InvalidSignatureException", "SignatureDoesNotMatch",
        ),
    }  # fmt: skip
    words = {
        "revoked": "The security token included in the request is invalid.",
        "expired": "The security token included in the request is expired",
        "wrong-secret": "The request signature we calculated does not match the one you provided.",
    }[state]
    return _by_protocol(asked, *by_state[state], words=words)


def _skewed(asked: Asked, behind: float) -> Reply:
    now = datetime.now(UTC)
    way = "is now earlier than" if behind > 0 else "is still later than"
    words = (
        f"Signature expired: {now:%Y%m%dT%H%M%SZ} {way} {now + timedelta(seconds=behind)} (15 min.)"
    )
    codes = ("SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed")
    return _by_protocol(asked, *codes, words=words)


def _by_protocol(asked: Asked, query: str, modelled: str, s3: str, *, words: str) -> Reply:
    match asked.service:
        case "s3":
            reply = s3_error(400 if s3 == "ExpiredToken" else 403, s3)
            return reply._replace(body=b"") if asked.given["method"] == "HEAD" else reply
        case "sqs":
            return sqs_error(403, query, modelled, words)
        case "sns" | "sts":
            return _query_error(403, query, words)
        case _:
            return json_error(400, modelled, words)


def _query(inside: str, name: str) -> Reply:
    body = f'<{name} xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{inside}</{name}>'
    return Reply(200, body.encode(), (("Content-Type", "text/xml"),))


def _query_error(status: int, code: str, words: str) -> Reply:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{words}</Message></Error>"
    body = f"<ErrorResponse>{error}<RequestId>example</RequestId></ErrorResponse>"
    return Reply(status, body.encode(), (("Content-Type", "text/xml"),))


def json_error(status: int, code: str, words: str) -> Reply:
    body = json.dumps({"__type": code, "message": words})
    return Reply(status, body.encode(), (("Content-Type", "application/x-amz-json-1.1"),))


def json_answer(answer: Any) -> Reply:
    """An answer of a service that speaks JSON."""
    body = json.dumps(answer).encode()
    return Reply(200, body, (("Content-Type", "application/x-amz-json-1.1"),))
