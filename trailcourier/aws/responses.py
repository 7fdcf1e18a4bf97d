"""Rejects responses that do not come from AWS: a captive portal, a proxy or another service.

botocore parses a successful response leniently: it turns a web page into an empty receive, a delete
without entries, or a policy.  So every response is checked before botocore parses it.  AWS and its
emulators send a request id (moto, MinIO and Ceph do; moto's content types mislead).  Without one
(ElasticMQ, a stub) the body's form and the content type decide.
"""

import json
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from botocore.exceptions import BotoCoreError
from botocore.parsers import ResponseParserError, ResponseParserFactory
from botocore.response import StreamingBody
from botocore.session import Session
from urllib3.exceptions import HTTPError

from trailcourier.text import printable

REQUEST_IDS = ("x-amzn-requestid", "x-amz-request-id")
SHOWN = 120  # bytes of a foreign body that are quoted

_JSON = frozenset({"json", "rest-json"})
_XML = frozenset({"query", "ec2", "rest-xml"})
_BEFORE = rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml.*?\?>\s*)?(?:<!--.*?-->\s*)*"
_PAGE = re.compile(
    _BEFORE + rb"<(?:!doctype\s+html|html|head|body|script)\b", re.IGNORECASE | re.DOTALL
)
_ROOT = re.compile(_BEFORE + rb"<(?:[\w.-]+:)?([\w.-]+)", re.DOTALL)
_ERROR_ROOTS = frozenset({b"Error", b"ErrorResponse", b"Response"})
_CODED = ("x-amzn-query-error", "x-amzn-errortype")
# errors of botocore's parsers for values whose types differ from the service model
_PARSE_ERRORS = (AttributeError, KeyError, IndexError, TypeError, ValueError, RecursionError)


class ForeignAnswer(ResponseParserError):
    """The response is not from AWS; the message has its host, status and first bytes."""


class _LastRequest(threading.local):
    """The URL of this thread's last request; a response does not contain it."""

    url = ""

    def save(self, **event: Any) -> None:
        """Save the URL of a request; botocore calls this before it sends one."""
        self.url = event["request"].url


_last_request = _LastRequest()


def reject_foreign(core: Session) -> Session:
    """Make every client of *core* raise ForeignAnswer for foreign responses; return *core*."""
    core.register("before-send", _last_request.save)
    core.register_component("response_parser_factory", CheckedParsers())
    return core


def has_request_id(headers: Mapping[str, str]) -> bool:
    """Return whether a response has AWS's request id; the names in *headers* are lower case."""
    return any(name in headers for name in REQUEST_IDS)


def is_html(content_type: str) -> bool:
    """Return whether *content_type* is that of a web page."""
    return "html" in content_type.lower()


def describe_foreign(host: str, status: int, content_type: str, beginning: bytes) -> str:
    """Return the message for a foreign response of *host* whose body starts with *beginning*."""
    text = printable(beginning[:SHOWN].decode("utf-8", "replace"))
    body = f"'{text}'" if beginning else "nothing"
    of_type = f" ({printable(content_type[:60])})" if content_type else ""
    return f"{host} answered {status}, and not as AWS does{of_type}: {body}"


class CheckedParsers(ResponseParserFactory):
    """botocore's response parsers, each behind a check of the response."""

    def create_parser(self, protocol_name: str) -> Any:
        return _CheckedParser(super().create_parser(protocol_name), protocol_name)


class _CheckedParser:
    """A botocore parser whose ``parse`` raises ForeignAnswer for a foreign response."""

    def __init__(self, parser: Any, protocol: str) -> None:
        self._parser = parser
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def parse(self, response: dict[str, Any], shape: Any) -> Any:
        if response["status_code"] >= 500:
            return self._parse_failure(response, shape)
        if not _is_from_aws(response, shape, self._protocol):
            raise ForeignAnswer(_describe(response))
        try:
            return self._parser.parse(response, shape)
        except (ResponseParserError, *_PARSE_ERRORS) as error:
            raise ForeignAnswer(_describe(response)) from error

    def _parse_failure(self, response: dict[str, Any], shape: Any) -> Any:
        """Parse a 5xx response, which botocore retries; AWS's own gateways also send HTML."""
        try:
            if not _PAGE.match(response["body"]):
                return self._parser.parse(response, shape)
        except (ResponseParserError, *_PARSE_ERRORS):
            pass  # the status is enough
        parsed = self._parser.parse({**response, "body": b""}, shape)
        parsed.get("Error", {})["Message"] = _describe(response)
        return parsed


def _is_from_aws(response: Mapping[str, Any], shape: Any, protocol: str) -> bool:
    """Return whether the response may come from AWS or one of its emulators."""
    headers, status, body = response["headers"], response["status_code"], response["body"]
    known = has_request_id(headers)
    if not known and _is_page_or_redirect(headers, status):
        return False
    if isinstance(body, StreamingBody):  # an S3 object
        return known or "etag" in headers
    if not isinstance(body, bytes):  # an event stream
        return True
    if status >= 300:
        return known or not body.strip() or _is_error(headers, body, protocol)
    return _is_result(body, shape, protocol, known=known)


def _is_result(body: bytes, shape: Any, protocol: str, *, known: bool) -> bool:
    """Return whether *body* has the form of a success; *known*: it came with a request id."""
    if protocol in _JSON:
        return _is_json_result(body, shape, known=known)
    return protocol not in _XML or not body.strip() or _is_xml_result(body, protocol)


def _is_page_or_redirect(headers: Mapping[str, str], status: int) -> bool:
    """Return whether the response is a web page, or redirects to another address."""
    if 300 <= status < 400 and "location" in headers:
        return True
    return is_html(headers.get("content-type", ""))


def _is_json_result(body: bytes, shape: Any, *, known: bool) -> bool:
    """Return whether *body* is a JSON object that fits *shape*; an unsigned one shares a member."""
    if body.strip() in {b"", b"null"}:
        return known or shape is None or not shape.members
    found = _member_names(body)
    if found is None:
        return False
    if known or not found or shape is None:
        return True
    names = {each.serialization.get("name", name) for name, each in shape.members.items()}
    return bool(names & found)


def _member_names(body: bytes) -> frozenset[str] | None:
    """Return the member names of the JSON object in *body*; None for anything else."""
    try:
        return frozenset(msgspec.json.decode(body, type=dict[str, msgspec.Raw]))
    except ValueError:  # msgspec is stricter than botocore's parser, which uses json
        pass
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return frozenset(found) if isinstance(found, dict) else None


def _is_xml_result(body: bytes, protocol: str) -> bool:
    """Return whether *body* is no web page and, for query and ec2, has a root as AWS's have."""
    if _PAGE.match(body):
        return False
    root = _ROOT.match(body)
    return protocol == "rest-xml" or (root is not None and root[1].endswith(b"Response"))


def _is_error(headers: Mapping[str, str], body: bytes, protocol: str) -> bool:
    """Return whether an error without a request id has the form of AWS's errors."""
    if protocol in _JSON:
        found = _member_names(body)
        return found is not None and ("__type" in found or any(n in headers for n in _CODED))
    root = _ROOT.match(body)
    return protocol not in _XML or (root is not None and root[1] in _ERROR_ROOTS)


def _describe(response: Mapping[str, Any]) -> str:
    body, headers = response["body"], response["headers"]
    host = _host(_last_request.url) or "an unknown host"
    if isinstance(body, StreamingBody):
        body = _read_beginning(body)
    content_type = headers.get("content-type", "").partition(";")[0]
    message = describe_foreign(host, response["status_code"], content_type, body)
    if response["status_code"] < 400 and (to := headers.get("location")):
        message = f"{message}; it redirects to {_host(printable(to[:200])) or 'another page'}"
    return message


def _host(url: str) -> str:
    """Return host and port of *url*, without a password; empty for text that is not a URL."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _read_beginning(stream: StreamingBody) -> bytes:
    """Read the first bytes of *stream*, then close it."""
    try:
        return bytes(stream.read(SHOWN) or b"")
    except (BotoCoreError, HTTPError, OSError):
        return b""
    finally:
        stream.close()
