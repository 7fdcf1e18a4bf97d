"""Whom a sink that speaks TLS believes, and what its refusal means to a person."""

import ssl
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, FilePath

from trailcourier.errors import ConfigError


def context(bundle: Path | None) -> ssl.SSLContext:
    """Return a client's context that trusts what is in *bundle*, or else what the system trusts.

    Every certificate in *bundle* is trusted by itself, be it a root, one that a root signed or a
    server's own.  Raises ConfigError where *bundle* cannot be read or holds none.
    """
    # create_default_context asks more of certificates from Python 3.13 on than appliances fulfil
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        if bundle:
            made.load_verify_locations(bundle)
        else:
            made.load_default_certs()
    except ssl.SSLError as error:
        raise ConfigError([f"{bundle} holds no certificate in PEM"]) from error
    except OSError as error:
        raise ConfigError([f"{bundle} cannot be read: {error.strerror}"]) from error
    return made


def _holds_certificates(path: Path) -> Path:
    try:
        context(path)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return path


CaFile = Annotated[FilePath, AfterValidator(_holds_certificates)]


def words(error: ssl.SSLError) -> str:
    """Say what kept a TLS connection from being made or used."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    return f"TLS: {error.reason or error}".replace("_", " ").lower().replace("tls:", "TLS:")
