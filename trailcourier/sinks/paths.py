"""The path of an object's file in the file sink; no part of a key is used in it unescaped."""

import hashlib
import json
import re
from pathlib import PurePath

from trailcourier import keys
from trailcourier.models import Origin

NAME_LENGTH = 100  # characters of the log file's name; with the hash, far below the usual 255
FOLDER_LENGTH = 64
UNKNOWN = "unknown"

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def relative_path(origin: Origin) -> PurePath:
    """Return source/account/region/date/name-hash, without a suffix.

    The hash separates objects of the same name: in other buckets or folders, or with other content.
    All tries of one object have the same path.
    """
    place = keys.parse(origin.ref.key)
    folders = (place.account, place.region, place.date) if place else (UNKNOWN,) * 3
    name = place.name if place else origin.ref.key.rpartition("/")[2]
    parts = [safe_part(part, FOLDER_LENGTH) for part in (origin.source, *folders)]
    return PurePath(*parts, f"{safe_part(name, NAME_LENGTH)}-{content_id(origin)}")


def safe_part(text: str, max_length: int) -> str:
    """Return *text* as one part of a path: at most *max_length* characters, unsafe ones replaced.

    A leading dot is replaced too, because it hides a file or leads to another folder; so is a
    leading hyphen, because programs take it for an option.
    """
    part = _UNSAFE.sub("_", text[:max_length])
    return f"_{part[1:]}" if part[:1] in {"", ".", "-"} else part


def content_id(origin: Origin) -> str:
    """Return 16 hexadecimal digits that identify the object and its content.

    The ETag is preferred to the version, because of two notifications of one object only one may
    name the version, and both must lead to one file.
    """
    ref = origin.ref
    named = json.dumps([ref.bucket, ref.key, origin.etag or ref.version or ref.etag])
    return hashlib.blake2b(named.encode(), digest_size=8).hexdigest()
