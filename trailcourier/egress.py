"""How this process reaches the outside: endpoints, proxies and the CA bundle.

The values of ``AWS_ENDPOINT_URL``, ``AWS_ENDPOINT_URL_S3`` and its like, ``HTTPS_PROXY``,
``HTTP_PROXY``, ``NO_PROXY`` and ``AWS_CA_BUNDLE``, so that boto3, obstore and the HTTP sinks act
alike.
"""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from pydantic import BaseModel, ConfigDict, Field

METADATA = frozenset(  # of EC2, of ECS, and of EKS's agent: they answer the host itself alone
    {
        *("169.254.169.254", "169.254.170.2", "169.254.170.23"),
        *("fd00:ec2::254", "fd00:ec2::23"),
    }
)


class Peer(msgspec.Struct, frozen=True):
    """Somewhere this process connects to.

    *url* is ``https://host``, ``http://host``, ``tls://host:port`` or ``tcp://host:port``, without
    a path.  *ca_file* holds the certificates to trust, where they are not the usual ones, and
    *server_name* is the name of its own certificate, where that is not the host.
    """

    url: str
    ca_file: Path | None = None
    server_name: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or (80 if parts.scheme == "http" else 443)

    @property
    def encrypted(self) -> bool:
        return urlsplit(self.url).scheme in {"https", "tls"}

    @property
    def web(self) -> bool:
        """Whether it speaks HTTP, and so may be reached through a proxy."""
        return urlsplit(self.url).scheme in {"https", "http"}

    def __str__(self) -> str:
        return self.host if self.port == 443 else f"{self.host}:{self.port}"


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
        """Say whether NO_PROXY names *host*, by the rule boto3 has from ``urllib.request``.

        Metadata services are never asked through a proxy: it is another host, with other keys.
        """
        if host in METADATA:
            return True
        names = [name.strip().lower().lstrip(".") for name in self.no_proxy.split(",")]
        return names == ["*"] or any(
            it == name or it.endswith(f".{name}")
            for name in names
            if name
            for it in (host, address.lower())
        )
