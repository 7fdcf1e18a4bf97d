"""How this process reaches the outside: endpoints, proxies and the CA bundle.

The values of ``AWS_ENDPOINT_URL``, ``AWS_ENDPOINT_URL_S3`` and its like, ``HTTPS_PROXY``,
``HTTP_PROXY``, ``NO_PROXY`` and ``AWS_CA_BUNDLE``, so that boto3, obstore and the HTTP sinks act
alike.
"""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field


class Egress(BaseModel):
    """What the environment says about the way out; hashable, and shown without what it holds.

    *endpoints* pairs a service (``"s3"``, ``"sqs"``, ``"sts"``) with its own endpoint.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    endpoint_url: str | None = Field(None, repr=False)
    endpoints: tuple[tuple[str, str], ...] = Field((), repr=False)
    https_proxy: str | None = Field(None, repr=False)  # may carry a password
    http_proxy: str | None = Field(None, repr=False)
    no_proxy: str = ""
    ca_bundle: Path | None = None

    def endpoint(self, service: str) -> str | None:
        """Return the endpoint to use for *service*, or None for AWS's own."""
        return dict(self.endpoints).get(service, self.endpoint_url)

    def proxy(self, url: str) -> str | None:
        """Return the proxy through which *url* is reached, or None for directly."""
        parts = urlsplit(url)
        proxy = self.https_proxy if parts.scheme == "https" else self.http_proxy
        return proxy if proxy and not self._direct(parts.hostname or "", parts.netloc) else None

    def _direct(self, host: str, address: str) -> bool:
        """Say whether NO_PROXY names *host*, by the rule boto3 has from ``urllib.request``."""
        names = [name.strip().lower().lstrip(".") for name in self.no_proxy.split(",")]
        return names == ["*"] or any(
            it == name or it.endswith(f".{name}")
            for name in names
            if name
            for it in (host, address.lower())
        )
