"""Write the files of a Terraform module into a folder, and never over others."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from trailcourier.errors import ConfigError


def write(folder: Path, files: Mapping[str, str]) -> Iterator[Path]:
    """Write *files* and yield their paths.

    Raises ConfigError, before anything is written, if one exists already or the folder cannot be
    written to.
    """
    paths = {folder / name: text for name, text in files.items()}
    for path in paths:
        if path.exists():
            text = "exists already and is not overwritten: name another folder"
            raise ConfigError([f"--module: {path} {text}"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            path.write_text(text, encoding="utf-8")
            yield path
    except OSError as error:
        advice = "name a folder that you can write to"
        raise ConfigError([f"--module: {folder}: {error.strerror}: {advice}"]) from error
