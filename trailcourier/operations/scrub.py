"""Removes secrets from text: those that are known, and what looks like one."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote, urlsplit

MASK = "***"
SHORTEST = 4  # characters; a shorter secret would mask ordinary words
TOKEN_LENGTH = 8  # characters; a part of a URL that has as many may be a token

_LOOKS_SECRET = (
    (re.compile(r"(?<=://)[^\s/@\"']+@"), f"{MASK}@"),
    (re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{12,}\b"), rf"\1{MASK}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), MASK),  # a JSON web token
    (re.compile(r"(?i)\b(Bearer|Basic|Splunk)\s+[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    (
        re.compile(
            r"(?i)((?:password|passwd|secret|token|api[-_]?key|access[-_]?key|signature)[\w-]*"
            r"[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&}]+"
        ),
        rf"\1{MASK}",
    ),
)


class Scrubber:
    """Replaces each of *secrets*, and the parts of those that are URLs, by ``***``."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {each for secret in secrets for each in _variants(secret)}
        self._secrets = sorted((x for x in found if len(x) >= SHORTEST), key=len, reverse=True)

    def scrub(self, text: str) -> str:
        """Return *text* without the secrets that are known."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def scrub_foreign(self, text: str) -> str:
        """Return *text*, which anybody may have written, also without what looks like a secret."""
        text = self.scrub(text)
        for pattern, mask in _LOOKS_SECRET:
            text = pattern.sub(mask, text)
        return text


def _variants(secret: str) -> Iterator[str]:
    """Yield the forms in which *secret* may appear."""
    for part in (secret.strip(), *_url_parts(secret)):
        for form in {part, unquote(part)}:
            yield form
            yield quote(form, safe="")
            yield form.encode("unicode_escape").decode()


def _url_parts(secret: str) -> Iterator[str]:
    """Yield what is secret in a URL: the password, the query, and long parts of the path."""
    if "://" not in secret:
        return
    try:
        parts = urlsplit(secret)
        password = parts.password
    except ValueError:
        return
    yield from (each for each in (password, parts.query) if each)
    yield from (each for each in parts.path.split("/") if len(each) >= TOKEN_LENGTH)
