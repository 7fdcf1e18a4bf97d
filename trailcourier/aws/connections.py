"""What connections by urllib3 share: the login at a proxy, and their errors in words."""

import base64
import socket
import ssl
from http.client import HTTPException
from urllib.parse import SplitResult, unquote

from urllib3 import exceptions

ERRORS = (exceptions.HTTPError, HTTPException, OSError)  # what urllib3 raises


def proxy_headers(proxy: SplitResult) -> dict[str, str]:
    """Return the header with the login that the URL of *proxy* contains; none without a login."""
    if not proxy.username:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def describe_error(error: BaseException) -> str:
    """Return in words why a connection could not be made or used.

    For an error of urllib3, the innermost is described: the outer ones show addresses of objects.
    """
    inner = next((each for each in error.args if isinstance(each, BaseException)), error.__cause__)
    if isinstance(error, exceptions.HTTPError) and inner is not None:
        return describe_error(inner)
    match error:
        case ssl.SSLCertVerificationError():
            words = f"its certificate is not accepted: {error.verify_message}"
        case ssl.SSLError():
            words = f"TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"
        case socket.gaierror():
            words = f"DNS does not resolve the host ({error.strerror})"
        case TimeoutError() if str(error).endswith("timed out"):  # Python has several texts for it
            words = "no answer in time"
        case HTTPException():
            words = "it closed the connection, or its answer is not HTTP"
        case _:
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return words.replace("Tunnel connection failed:", "it answered").strip()
