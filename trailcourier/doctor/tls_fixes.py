"""What to do about a TLS handshake that failed, by the words for its error."""

EXPIRED = (
    "Its certificate has expired: renew it there (or at the proxy that shows it). If it has not, "
    "this machine's clock is wrong."
)
OTHER_NAME = (
    "Its certificate is for another name: name the host as the certificate does, or give it a "
    "certificate for this name."
)
PLAIN = (
    "It does not speak TLS on this port: name the port that does, or configure the connection "
    "without TLS (http://, redis://, or `tls = false` of a sink)."
)
SILENT = (
    "It accepts the connection and does not answer the TLS handshake: it does not speak TLS on "
    "this port, or something between drops the answer."
)
_FIXES = {
    "certificate has expired": EXPIRED,
    "not yet valid": EXPIRED,
    "mismatch": OTHER_NAME,
    "not valid for": OTHER_NAME,
    "wrong version number": PLAIN,
    "record layer failure": PLAIN,
    "unknown protocol": PLAIN,
    "packet length too long": PLAIN,
    "http request": PLAIN,
    "no answer": SILENT,
}


def fix_for(words: str, otherwise: str) -> str:
    """Return the fix for the error described by *words*, or *otherwise* if they name no cause."""
    lower = words.lower().replace("_", " ")
    return next((fix for name, fix in _FIXES.items() if name in lower), otherwise)
