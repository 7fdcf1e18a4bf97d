"""Files for a new access key, readable by their owner only and created before the key is."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from trailcourier.errors import ConfigError

SaveKey = Callable[[str, str], None]  # takes an access key's id and its secret


def key_id_path(path: Path) -> Path:
    """Return the path of the file that holds the key's id, next to the file of its secret."""
    return path.with_name(f"{path.name}.id")


@contextmanager
def create_secret_files(path: Path) -> Iterator[SaveKey]:
    """Create both files and yield a function that saves an id and a secret in them.

    Both are deleted again if nothing was saved. Raises ConfigError, before any key is created, if
    one exists already or cannot be created.
    """
    saved = False
    files: dict[Path, TextIO] = {}

    def save(key_id: str, secret: str) -> None:
        nonlocal saved
        for file, text in zip(files.values(), (key_id, secret), strict=True):
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        saved = True

    try:
        for each in (key_id_path(path), path):
            files[each] = _create(each)
        yield save
    finally:
        for each, file in files.items():
            file.close()
            if not saved:
                each.unlink()


def _create(path: Path) -> TextIO:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        text = (
            "exists already and may hold a secret: name another file, or move this one away if "
            "its access key was deleted"
        )
        raise ConfigError([f"--secret-file: {path} {text}"]) from None
    except OSError as error:
        text = f"cannot be created: {error.strerror}: name a file in a folder that you can write to"
        raise ConfigError([f"--secret-file: {path} {text}"]) from error
    return os.fdopen(descriptor, "w", encoding="utf-8")
