"""Answers that are not AWS's: the page of a portal or a proxy, or another service at that address.

botocore reads a successful answer leniently: of a web page it makes an empty receive, a delete
without entries, a policy.  So every answer is looked at before it is read.  A request id is the
mark of AWS, and of what imitates it (moto, MinIO and Ceph send one; moto's content types mislead).
Where there is none (ElasticMQ, a stub) form and content type decide.
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

from trailcourier.printable import printable

REQUEST_IDS = ("x-amzn-requestid", "x-amz-request-id")
SHOWN = 120  # bytes of what came instead

_JSON = frozenset({"json", "rest-json"})
_XML = frozenset({"query", "ec2", "rest-xml"})
_BEFORE = rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml.*?\?>\s*)?(?:<!--.*?-->\s*)*"
_PAGE = re.compile(
    _BEFORE + rb"<(?:!doctype\s+html|html|head|body|script)\b", re.IGNORECASE | re.DOTALL
)
_ROOT = re.compile(_BEFORE + rb"<(?:[\w.-]+:)?([\w.-]+)", re.DOTALL)
_ERROR_ROOTS = frozenset({b"Error", b"ErrorResponse", b"Response"})
_CODED = ("x-amzn-query-error", "x-amzn-errortype")
# what botocore's parsers let through where values are of other types than the model says
_MISREAD = (AttributeError, KeyError, IndexError, TypeError, ValueError, RecursionError)


class ForeignAnswer(ResponseParserError):
    """Something other than AWS answered; the words have its host, status and first bytes."""


class Asked(threading.local):
    """The address of the last request of this thread: an answer does not carry it."""

    url = ""

    def note(self, **event: Any) -> None:
        """Keep the address of a request that is about to be sent."""
        self.url = event["request"].url


_asked = Asked()


def watch(core: Session) -> Session:
    """Have every client that *core* makes raise ForeignAnswer for what is not AWS's; return it."""
    core.register("before-send", _asked.note)
    core.register_component("response_parser_factory", Parsers())
    return core


def signed(headers: Mapping[str, str]) -> bool:
    """Say whether an answer has a request id, as AWS's have; *headers* by names in lower case."""
    return any(name in headers for name in REQUEST_IDS)


def is_page(kind: str) -> bool:
    """Say whether the content type *kind* is a web page's."""
    return "html" in kind.lower()


def foreign(host: str, status: int, kind: str, beginning: bytes) -> str:
    """Say that *host* answered with something of content type *kind* that begins so."""
    seen = printable(beginning[:SHOWN].decode("utf-8", "replace"))
    what = f"'{seen}'" if beginning else "nothing"
    told = f" ({printable(kind[:60])})" if kind else ""
    return f"{host} answered {status}, and not as AWS does{told}: {what}"


class Parsers(ResponseParserFactory):
    """botocore's parsers, each behind a look at what it is to read."""

    def create_parser(self, protocol_name: str) -> Any:
        return _Careful(super().create_parser(protocol_name), protocol_name)


class _Careful:
    """One parser of botocore's; *parse* raises ForeignAnswer for an answer that is not AWS's."""

    def __init__(self, parser: Any, protocol: str) -> None:
        self._parser = parser
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def parse(self, response: dict[str, Any], shape: Any) -> Any:
        if response["status_code"] >= 500:
            return self._failure(response, shape)
        if not _theirs(response, shape, self._protocol):
            raise ForeignAnswer(_words(response))
        try:
            return self._parser.parse(response, shape)
        except (ResponseParserError, *_MISREAD) as error:
            raise ForeignAnswer(_words(response)) from error

    def _failure(self, response: dict[str, Any], shape: Any) -> Any:
        """Read a failure, which AWS's own gateways tell in HTML too; botocore tries it again."""
        try:
            if not _PAGE.match(response["body"]):
                return self._parser.parse(response, shape)
        except (ResponseParserError, *_MISREAD):
            pass  # the status says enough
        parsed = self._parser.parse({**response, "body": b""}, shape)
        parsed.get("Error", {})["Message"] = _words(response)
        return parsed


def _theirs(response: Mapping[str, Any], shape: Any, protocol: str) -> bool:
    """Say whether this can be an answer of AWS's, or of what imitates it."""
    headers, status, body = response["headers"], response["status_code"], response["body"]
    known = signed(headers)
    if not known and _elsewhere(headers, status):
        return False
    if isinstance(body, StreamingBody):  # an object
        return known or "etag" in headers
    if not isinstance(body, bytes):  # a stream of events
        return True
    if status >= 300:
        return known or not body.strip() or _error(headers, body, protocol)
    return _result(body, shape, protocol, known=known)


def _result(body: bytes, shape: Any, protocol: str, *, known: bool) -> bool:
    """Say whether *body* has the form of a success; *known* is one with a request id."""
    if protocol in _JSON:
        return _object(body, shape, known=known)
    return protocol not in _XML or not body.strip() or _document(body, protocol)


def _elsewhere(headers: Mapping[str, str], status: int) -> bool:
    """Say whether this is a page, or sends one to some."""
    if 300 <= status < 400 and "location" in headers:
        return True
    return is_page(headers.get("content-type", ""))


def _object(body: bytes, shape: Any, *, known: bool) -> bool:
    """Say whether *body* is a JSON object that has, or leaves out, what *shape* does."""
    if body.strip() in {b"", b"null"}:
        return known or shape is None or not shape.members
    found = _members(body)
    if found is None:
        return False
    if known or not found or shape is None:
        return True
    names = {each.serialization.get("name", name) for name, each in shape.members.items()}
    return bool(names & found)


def _members(body: bytes) -> frozenset[str] | None:
    """Return the names in the JSON object that *body* is; None for anything else."""
    try:
        return frozenset(msgspec.json.decode(body, type=dict[str, msgspec.Raw]))
    except ValueError:  # it is stricter than the parser that reads the answer
        pass
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return frozenset(found) if isinstance(found, dict) else None


def _document(body: bytes, protocol: str) -> bool:
    """Say whether *body* is no page, and where XML is due has a root that AWS gives one."""
    if _PAGE.match(body):
        return False
    root = _ROOT.match(body)
    return protocol == "rest-xml" or (root is not None and root[1].endswith(b"Response"))


def _error(headers: Mapping[str, str], body: bytes, protocol: str) -> bool:
    """Say whether an unsigned error has the form of AWS's."""
    if protocol in _JSON:
        found = _members(body)
        return found is not None and ("__type" in found or any(n in headers for n in _CODED))
    root = _ROOT.match(body)
    return protocol not in _XML or (root is not None and root[1] in _ERROR_ROOTS)


def _words(response: Mapping[str, Any]) -> str:
    body, headers = response["body"], response["headers"]
    host = _host(_asked.url) or "something"
    if isinstance(body, StreamingBody):
        body = _begin(body)
    kind = headers.get("content-type", "").partition(";")[0]
    said = foreign(host, response["status_code"], kind, body)
    if response["status_code"] < 400 and (to := headers.get("location")):
        said = f"{said}; it redirects to {_host(printable(to[:200])) or 'another page'}"
    return said


def _host(url: str) -> str:
    """Return host and port of *url*, which may be anything, without a password."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _begin(stream: StreamingBody) -> bytes:
    """Read the first bytes of what nobody will read on, and let go of it."""
    try:
        return bytes(stream.read(SHOWN) or b"")
    except (BotoCoreError, HTTPError, OSError):
        return b""
    finally:
        stream.close()
