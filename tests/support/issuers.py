"""Who issues temporary keys, honestly: STS, a pod's agent and an instance's metadata service.

``Keys`` knows what was issued to whom and until when, so that a stub of S3 or SQS can refuse, as
AWS would, what has ended (``ExpiredToken``) or was never issued (``InvalidAccessKeyId``).
"""

import asyncio
import itertools
import json
import re
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from tests.support.http_stub import Reply, Request, Server

_KEY = re.compile(r"Credential=(\w+)/")
_XML = ("Content-Type", "text/xml")
ROLE = "arn:aws:iam::{}:role/{}"


class Issued(NamedTuple):
    whose: str
    ends: float  # time.time()


class Keys:
    """What was issued.  AWS tells ends in whole seconds, so *lives* are whole seconds too."""

    def __init__(self, lives: int = 3600) -> None:
        self.lives = lives
        self.issued: dict[str, Issued] = {}
        self.used: Counter[tuple[str, str]] = Counter()  # (whose, what became of it)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def issue(self, whose: str) -> dict[str, str]:
        """Return new keys of *whose* as AWS's JSON names their parts."""
        ends = int(time.time()) + 1 + self.lives
        with self._lock:
            key = f"ASIA{next(self._numbers):012}"
            self.issued[key] = Issued(whose, ends)
        return {
            "AccessKeyId": key,
            "SecretAccessKey": "issued",
            "Token": f"token-{key}",
            "Expiration": f"{datetime.fromtimestamp(ends, UTC):%Y-%m-%dT%H:%M:%SZ}",
        }

    def times(self, whose: str) -> int:
        """How often keys of *whose* were issued."""
        return sum(each.whose == whose for each in self.issued.values())

    def end(self, whose: str) -> None:
        """Let all keys of *whose* that were issued so far be good no longer."""
        with self._lock:
            for key, each in self.issued.items():
                if each.whose == whose:
                    self.issued[key] = each._replace(ends=0)

    def refuses(self, *whose: str) -> Any:
        """What a stub asks about each request: only keys of *whose* are taken there."""

        def refused(request: Request) -> str:
            found = _KEY.search(request.headers.get("authorization", ""))
            key = found[1] if found else ""
            held = self.issued.get(key)
            code = self._code(held, request.headers.get("x-amz-security-token") == f"token-{key}")
            if held and not code and held.whose not in whose:
                code = "AccessDenied"
            self.used[held.whose if held else "nobody", code] += 1
            return code

        return refused

    @staticmethod
    def _code(held: Issued | None, whole: bool) -> str:
        if held is None or not whole:
            return "InvalidAccessKeyId"
        return "ExpiredToken" if held.ends <= time.time() else ""


class Sts:
    """STS.  *external_ids* are those of roles that need one, *tokens* the web identities known."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.external_ids: dict[str, str] = {}
        self.tokens: set[str] = set()
        self.asked: list[dict[str, str]] = []
        self.closed = ""  # a code that every request gets
        self.server = Server(self._answer)

    @property
    def url(self) -> str:
        return self.server.url

    def _answer(self, request: Request) -> Reply:
        asked = {name: value[0] for name, value in parse_qs(request.body.decode()).items()}
        self.asked.append(asked)
        role, action = asked.get("RoleArn", ""), asked["Action"]
        if self.closed:
            return _sts_error(self.closed, "said so")
        if action == "AssumeRoleWithWebIdentity":
            if asked["WebIdentityToken"] not in self.tokens:
                return _sts_error("ExpiredTokenException", "Token expired", status=400)
        elif self.external_ids.get(role, "") != asked.get("ExternalId", ""):
            return _sts_error(
                "AccessDenied", f"not authorized to perform: sts:AssumeRole on {role}"
            )
        issued = self.keys.issue(role)
        issued["SessionToken"] = issued.pop("Token")
        fields = "".join(f"<{name}>{value}</{name}>" for name, value in issued.items())
        body = f"<{action}Response><{action}Result><Credentials>{fields}</Credentials>"
        return Reply(200, f"{body}</{action}Result></{action}Response>".encode(), (_XML,))


def _sts_error(code: str, words: str, *, status: int = 403) -> Reply:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{words}</Message></Error>"
    body = f"<ErrorResponse>{error}<RequestId>EXAMPLE</RequestId></ErrorResponse>"
    return Reply(status, body.encode(), (_XML,))


class PodAgent:
    """EKS's agent beside a pod: gives keys of *whose* to who shows a *token* that is good now."""

    def __init__(self, keys: Keys, whose: str, token: str) -> None:
        self.keys, self.whose, self.token = keys, whose, token
        self.shown: list[str] = []
        self.server = Server(self._answer)

    @property
    def url(self) -> str:
        return f"{self.server.url}/v1/credentials"

    def _answer(self, request: Request) -> Reply:
        shown = request.headers.get("authorization", "")
        self.shown.append(shown)
        if shown != self.token:
            return Reply(400, b'{"Code": "InvalidTokenException"}')
        return Reply(200, json.dumps(self.keys.issue(self.whose)).encode())


class Imds:
    """An instance's metadata service that demands version 2.

    *far* is for who is further away than its hop limit: the answer to a PUT never arrives.
    """

    def __init__(self, keys: Keys, whose: str, *, far: bool = False) -> None:
        self.keys, self.whose, self.far = keys, whose, far
        self.asked: list[tuple[str, str, int]] = []  # method, path, status; 0 without an answer
        self.server = Server(self._answer)

    @property
    def url(self) -> str:
        return self.server.url

    async def _answer(self, request: Request) -> Reply | None:
        reply = self._reply(request)
        lost = self.far and request.method == "PUT"
        self.asked.append((request.method, request.target, 0 if lost else reply.status))
        if lost:
            await asyncio.Event().wait()
        return reply

    def _reply(self, request: Request) -> Reply:
        if request.method == "PUT":
            return Reply(200, b"the-token")
        if request.headers.get("x-aws-ec2-metadata-token") != "the-token":
            return Reply(401)  # version 1, which is off
        if request.target.endswith("security-credentials/"):
            return Reply(200, b"collector")
        document = {"Code": "Success", "Type": "AWS-HMAC", **self.keys.issue(self.whose)}
        return Reply(200, json.dumps(document).encode())
