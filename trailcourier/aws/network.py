"""Network settings for outgoing connections: endpoints, proxies and the CA bundle.

boto3, obstore and the HTTP sinks all use these values of ``AWS_ENDPOINT_URL``,
``AWS_ENDPOINT_URL_<SERVICE>``, ``HTTPS_PROXY``, ``HTTP_PROXY``, ``NO_PROXY`` and
``AWS_CA_BUNDLE``, so that they connect in the same way.
"""

from pathlib import Path
from urllib.parse import SplitResult, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

import msgspec
from pydantic import BaseModel, ConfigDict, Field

# the metadata services of EC2, ECS and the EKS agent; each answers only its own host
METADATA_HOSTS = frozenset(
    {
        *("169.254.169.254", "169.254.170.2", "169.254.170.23"),
        *("fd00:ec2::254", "fd00:ec2::23"),
    }
)


class Peer(msgspec.Struct, frozen=True):
    """A server that this process connects to.

    *url* is ``https://host``, ``http://host``, ``tls://host:port`` or ``tcp://host:port``, without
    a path.  *ca_file* replaces the default CA certificates.  *server_name* is the name expected in
    the server's certificate if it is not the host.
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
        """Whether it speaks HTTP, and may therefore be reached through a proxy."""
        return urlsplit(self.url).scheme in {"https", "http"}

    def __str__(self) -> str:
        return self.host if self.port == 443 else f"{self.host}:{self.port}"


def with_scheme(proxy: str) -> str:
    """Return the URL of *proxy*, which is an http one if it names no scheme, as for curl."""
    return proxy if "://" in proxy else f"http://{proxy}"


class Network(BaseModel):
    """How a process or a source connects; hashable, and its repr hides URLs.

    *endpoints* pairs a service (``"s3"``, ``"sqs"``, ``"sts"``) with its endpoint.  *fips* and
    *dualstack* select AWS's FIPS and dual-stack hosts; a service with an endpoint ignores them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    endpoint_url: str | None = Field(None, repr=False)
    endpoints: tuple[tuple[str, str], ...] = Field((), repr=False)
    https_proxy: str | None = Field(None, repr=False)  # may carry a password
    http_proxy: str | None = Field(None, repr=False)
    no_proxy: str = ""
    ca_bundle: Path | None = None
    fips: bool = False
    dualstack: bool = False

    def with_hosts(self, *, fips: bool, dualstack: bool) -> "Network":
        """Return a copy that also uses AWS's FIPS and dual-stack hosts where set."""
        return self.model_copy(
            update={"fips": self.fips or fips, "dualstack": self.dualstack or dualstack}
        )

    def with_endpoint(self, service: str, url: str | None) -> "Network":
        """Return a copy that uses *url* for *service*, if no endpoint is configured for it."""
        if url is None or self.endpoint(service):
            return self
        return self.model_copy(update={"endpoints": (*self.endpoints, (service, url))})

    def endpoint(self, service: str) -> str | None:
        """Return the configured endpoint of *service*; None for AWS's own."""
        return dict(self.endpoints).get(service, self.endpoint_url)

    def proxy(self, url: str) -> str | None:
        """Return the URL of the proxy for *url*, which may hold a password; None without one."""
        parts = urlsplit(url)
        proxy = self.https_proxy if parts.scheme == "https" else self.http_proxy
        if not proxy or self._bypasses_proxy(parts):
            return None
        return with_scheme(proxy)

    def _bypasses_proxy(self, parts: SplitResult) -> bool:
        """Return whether NO_PROXY matches, by the standard library's rule, which botocore uses.

        Metadata services never use a proxy: it is another host, with other keys.
        """
        host = parts.hostname or ""
        no_proxy = {"no": self.no_proxy.strip()}
        # the host as well, because NO_PROXY may name an IPv6 address without brackets
        return host in METADATA_HOSTS or any(
            proxy_bypass_environment(name, no_proxy) for name in (parts.netloc, host)
        )
