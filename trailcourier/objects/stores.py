"""The connections of one source to its buckets: obstore's stores and boto3's clients."""

import functools
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import boto3
import msgspec
from botocore.exceptions import NoCredentialsError
from botocore.httpsession import get_cert_path
from obstore.store import S3Store

from trailcourier import aws
from trailcourier.objects.reach import Reach

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from obstore.store import ClientConfig, RetryConfig, S3Credential

RETRIES = 2
RETRY_FOR = timedelta(seconds=10)
KEPT = 64  # stores and clients; a message can name any bucket

_PROBE = "k"


class Host(msgspec.Struct, frozen=True):
    """Where one bucket answers; *virtual* says that the host names the bucket, not the path."""

    url: str
    virtual: bool


class Stores:
    """Made when first asked for, then kept; all threads share one."""

    def __init__(self, session: boto3.Session, reach: Reach) -> None:
        self._session = session
        self._reach = reach
        self._making = threading.Lock()
        self._store = functools.lru_cache(KEPT)(self._new_store)
        self._client = functools.lru_cache(KEPT)(self._new_client)

    def store(self, bucket: str, region: str) -> S3Store:
        """Return the store for *bucket*, its credentials fresh.

        Raises what botocore raises where there are no credentials, in this thread and not in
        obstore's.
        """
        self._credentials()
        with self._making:
            return self._store(bucket, region)

    def client(self, region: str) -> "S3Client":
        """Return a client that does not follow redirects, and tries twice at most."""
        with self._making:
            return self._client(region)

    def _new_client(self, region: str) -> "S3Client":
        reach = self._reach
        made = cast(
            "S3Client",
            aws.client(
                self._session,
                "s3",
                region,
                egress=reach.egress,
                fips=reach.fips,
                dualstack=reach.dualstack,
                connect=reach.connect,
                read=reach.stall,
                attempts=2,
            ),
        )
        made.meta.events.register_last("before-parameter-build.s3", _no_redirect)
        made.meta.events.register_first("before-endpoint-resolution.s3", _regional)
        return made

    def _new_store(self, bucket: str, region: str) -> S3Store:
        host = _host(self._client(region), bucket)
        return S3Store(
            bucket,
            endpoint=host.url,
            # each of these is said, for what is not said obstore takes from the environment
            aws_endpoint_url_s3=host.url,
            virtual_hosted_style_request=host.virtual,
            region=region,
            s3_express=False,
            skip_signature=False,
            request_payer=False,
            unsigned_payload=False,
            credential_provider=self._credentials,
            client_options=_options(self._reach, host.url),
            retry_config=_RETRY,
        )

    def _credentials(self) -> "S3Credential":
        """Return the keys of this moment; obstore asks before each request, botocore renews."""
        held = self._session.get_credentials()
        if held is None:
            raise NoCredentialsError
        keys = held.get_frozen_credentials()
        return {
            "access_key_id": keys.access_key or "",
            "secret_access_key": keys.secret_key or "",
            "token": keys.token,
            "expires_at": datetime.now(UTC),
        }


_RETRY: "RetryConfig" = {
    "max_retries": RETRIES,
    "retry_timeout": RETRY_FOR,
    "backoff": {
        "init_backoff": timedelta(milliseconds=200),
        "max_backoff": timedelta(seconds=3),
        "base": 2,
    },
}


def readable(key: str) -> bool:
    """Say whether obstore asks for exactly *key*.

    It drops a leading and a trailing slash, and refuses empty and dot segments and control
    characters.
    """
    return not _UNREADABLE.search(key)


_UNREADABLE = re.compile(r"^/|/$|//|(?:^|/)\.{1,2}(?:/|$)|[\x00-\x1f\x7f]|^$")


def has_dots(key: str) -> bool:
    """Say whether *key* has a segment ``.`` or ``..``, which a proxy may resolve."""
    return any(segment in {".", ".."} for segment in key.split("/"))


def _no_redirect(context: dict[str, Any], **_: Any) -> None:
    """Have botocore believe that it followed a redirect already, so that it raises instead."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _regional(context: dict[str, Any], **_: Any) -> None:
    """Have botocore name a bucket's host in a signed URL as in a request: by its region."""
    context["use_global_endpoint"] = False


def _host(client: "S3Client", bucket: str) -> Host:
    """Return where botocore's endpoint rules say that *bucket* answers."""
    signed = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": _PROBE})
    url = signed.partition("?")[0].removesuffix(f"/{_PROBE}")
    if url.endswith(f"/{bucket}"):
        return Host(url.removesuffix(f"/{bucket}"), virtual=False)
    return Host(url, virtual=True)


def _options(reach: Reach, url: str) -> "ClientConfig":
    parts, proxy = urlsplit(url), reach.egress.proxy(url)
    options: ClientConfig = {
        "allow_http": parts.scheme == "http",
        "connect_timeout": timedelta(seconds=reach.connect),
        "read_timeout": timedelta(seconds=reach.stall),
        "timeout": timedelta(seconds=reach.whole),
        "user_agent": "trailcourier",
        # the certificates boto3 trusts, for a machine may have none; obstore adds its own
        "root_certificate": _bundle(reach.egress.ca_bundle),
        "proxy_url": proxy or _NO_PROXY,
    }
    if proxy is None:
        options["proxy_excludes"] = parts.hostname or ""
    return options


_NO_PROXY = "http://127.0.0.1:9"  # never asked: without a proxy_url obstore reads the environment


@functools.cache
def _bundle(named: Path | None) -> bytes:
    return Path(named or str(get_cert_path(True))).read_bytes()
