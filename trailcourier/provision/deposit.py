"""Where a new secret access key is put: a file of its owner's alone, made before the key is."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from trailcourier.errors import ConfigError

Keep = Callable[[str, str], None]  # an access key's id, and its secret


def beside(path: Path) -> Path:
    """The file that holds the key's id, beside the one of its secret."""
    return path.with_name(f"{path.name}.id")


@contextmanager
def deposit(path: Path) -> Iterator[Keep]:
    """Give what keeps an id and a secret in new files; if it is not used, none are left.

    Raises ConfigError, before any key is made, if a file is there already or cannot be made.
    """
    kept = False
    files: dict[Path, TextIO] = {}

    def keep(key_id: str, secret: str) -> None:
        nonlocal kept
        for file, text in zip(files.values(), (key_id, secret), strict=True):
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        kept = True

    try:
        for place in (beside(path), path):
            files[place] = _new(place)
        yield keep
    finally:
        for place, file in files.items():
            file.close()
            if not kept:
                place.unlink()


def _new(path: Path) -> TextIO:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        text = "is there already, and a secret of somebody's may be in it: name another file"
        raise ConfigError([f"--secret-file: {path} {text}"]) from None
    except OSError as error:
        raise ConfigError([f"--secret-file: {path}: {error.strerror}"]) from error
    return os.fdopen(descriptor, "w", encoding="utf-8")
