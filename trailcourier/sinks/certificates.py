"""The `ca_file` setting of a TLS sink."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, FilePath

from trailcourier.aws import tls_contexts
from trailcourier.errors import ConfigError


def _holds_certificates(path: Path) -> Path:
    try:
        tls_contexts.for_sink(path)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return path


CaFile = Annotated[FilePath, AfterValidator(_holds_certificates)]
