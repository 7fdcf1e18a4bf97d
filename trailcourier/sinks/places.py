"""Where the file sink puts the records of an object: nothing from a key becomes a path as it is."""

import hashlib
import json
import re
from pathlib import PurePath

from trailcourier import keys
from trailcourier.models import Origin

NAME = 100  # characters of the log file's own name; with the hash far below the usual 255
FOLDER = 64
UNKNOWN = "unknown"

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def location(origin: Origin) -> PurePath:
    """Return source/account/region/date/name-hash, without an ending.

    The hash tells apart what has one name: other buckets, other folders, a key written anew.  Two
    tries of one object have one location.
    """
    place = keys.place(origin.ref.key)
    folders = (place.account, place.region, place.date) if place else (UNKNOWN,) * 3
    name = place.name if place else origin.ref.key.rpartition("/")[2]
    parts = [safe(part, FOLDER) for part in (origin.source, *folders)]
    return PurePath(*parts, f"{safe(name, NAME)}-{identity(origin)}")


def safe(text: str, longest: int) -> str:
    """Return *text* as one path part: its first characters, the unsafe ones replaced.

    What begins with a dot would be hidden, or lead elsewhere; with a hyphen, an option.
    """
    part = _UNSAFE.sub("_", text[:longest])
    return f"_{part[1:]}" if part[:1] in {"", ".", "-"} else part


def identity(origin: Origin) -> str:
    """Return 16 hexadecimal digits that stand for the object with this content.

    The ETag comes before the version: two notices of one object, only one of which names the
    version, then mean one file.
    """
    ref = origin.ref
    named = json.dumps([ref.bucket, ref.key, origin.etag or ref.version or ref.etag])
    return hashlib.blake2b(named.encode(), digest_size=8).hexdigest()
