"""TLS client contexts: one that trusts what boto3 trusts, and one for sinks.

``ssl.create_default_context`` makes neither: from Python 3.13 on it is stricter about certificates
than botocore, and too strict for those of appliances.
"""

import ssl
from pathlib import Path

from trailcourier.errors import ConfigError


def as_boto3(bundle: Path | None) -> ssl.SSLContext:
    """Return a context that trusts what boto3 trusts with *bundle*; None: the system's.

    Raises ConfigError if *bundle* cannot be read or holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if bundle is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(bundle)
    except ssl.SSLError as error:
        raise ConfigError([f"{bundle} holds no certificate in PEM format"]) from error
    except OSError as error:
        raise ConfigError([f"{bundle} cannot be read: {error.strerror}"]) from error
    return context


def for_sink(bundle: Path | None) -> ssl.SSLContext:
    """Return a context that trusts the certificates in *bundle*; None: the system's.

    Each certificate in *bundle* is trusted by itself: a root, an intermediate or a server's own.
    Raises ConfigError as ``as_boto3`` does.
    """
    context = as_boto3(bundle)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
