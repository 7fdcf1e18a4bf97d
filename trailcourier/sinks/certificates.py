"""The `ca_file` setting of a TLS sink, and TLS errors in words."""

import ssl
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


def describe_error(error: ssl.SSLError) -> str:
    """Return in words why a TLS connection could not be made or used."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    return f"TLS: {error.reason or error}".replace("_", " ").lower().replace("tls:", "TLS:")
