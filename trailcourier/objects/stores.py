"""The connections of one source to its buckets: obstore stores and boto3 clients."""

import functools
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import boto3
import msgspec
from botocore.exceptions import NoCredentialsError
from botocore.httpsession import get_cert_path
from obstore.store import S3Store

from trailcourier.aws import clients
from trailcourier.objects.access import BucketAccess
from trailcourier.once_cache import OnceCache

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from obstore.store import ClientConfig, RetryConfig, S3Credential

RETRIES = 2
RETRY_FOR = timedelta(seconds=10)
CACHED = 64  # stores and clients, at most: a message can name any bucket

_SAMPLE_KEY = "k"


class BucketHost(msgspec.Struct, frozen=True):
    """The base URL of one bucket; *virtual*: the host contains the bucket's name, not the path."""

    url: str
    virtual: bool


class Stores:
    """Creates stores and clients at first use and caches them; threads may share one."""

    def __init__(self, session: boto3.Session, access: BucketAccess) -> None:
        self._session = session
        self._access = access
        self._stores = OnceCache(most=CACHED)
        self._clients = OnceCache(most=CACHED)

    def store(self, bucket: str, region: str) -> S3Store:
        """Return the store for *bucket*, with current credentials.

        Raises botocore's errors if there are none: in this thread, not in one of obstore's.
        """
        self._credentials()
        return self._stores.get((bucket, region), lambda: self._new_store(bucket, region))

    def client(self, region: str) -> "S3Client":
        """Return a client that does not follow redirects and makes at most two attempts."""
        return self._clients.get(region, lambda: self._new_client(region))

    def _new_client(self, region: str) -> "S3Client":
        access = self._access
        client = cast(
            "S3Client",
            clients.make_client(
                self._session,
                "s3",
                region,
                network=access.network,
                limits=clients.CallLimits(access.connect_timeout, access.read_timeout, attempts=2),
            ),
        )
        client.meta.events.register_last("before-parameter-build.s3", _disable_redirects)
        client.meta.events.register_first("before-endpoint-resolution.s3", _use_regional_host)
        return client

    def _new_store(self, bucket: str, region: str) -> S3Store:
        host = _host(self.client(region), bucket)
        return S3Store(
            bucket,
            endpoint=host.url,
            # every option is set, because obstore reads missing ones from the environment
            aws_endpoint_url_s3=host.url,
            virtual_hosted_style_request=host.virtual,
            region=region,
            s3_express=False,
            skip_signature=False,
            request_payer=False,
            unsigned_payload=False,
            credential_provider=self._credentials,
            client_options=_client_options(self._access, host.url),
            retry_config=_RETRY,
        )

    def _credentials(self) -> "S3Credential":
        """Return the current keys; obstore calls this before each request, botocore renews them."""
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        keys = credentials.get_frozen_credentials()
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


def obstore_can_read(key: str) -> bool:
    """Return whether obstore requests exactly *key*.

    It removes a leading and a trailing slash, and rejects empty segments, dot segments and control
    characters.
    """
    return not _UNREADABLE.search(key)


_UNREADABLE = re.compile(r"^/|/$|//|(?:^|/)\.{1,2}(?:/|$)|[\x00-\x1f\x7f]|^$")


def has_dots(key: str) -> bool:
    """Return whether *key* has a segment ``.`` or ``..``, which a proxy may resolve."""
    return any(segment in {".", ".."} for segment in key.split("/"))


def _disable_redirects(context: dict[str, Any], **_: Any) -> None:
    """Mark the request as redirected already, so that botocore raises instead of following."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _use_regional_host(context: dict[str, Any], **_: Any) -> None:
    """Make presigned URLs use the bucket's regional host, as requests do."""
    context["use_global_endpoint"] = False


def _host(client: "S3Client", bucket: str) -> BucketHost:
    """Return the host of *bucket* by botocore's endpoint rules, from a presigned URL."""
    presigned = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": _SAMPLE_KEY})
    url = presigned.partition("?")[0].removesuffix(f"/{_SAMPLE_KEY}")
    if url.endswith(f"/{bucket}"):
        return BucketHost(url.removesuffix(f"/{bucket}"), virtual=False)
    return BucketHost(url, virtual=True)


def _client_options(access: BucketAccess, url: str) -> "ClientConfig":
    parts, proxy = urlsplit(url), access.network.proxy(url)
    options: ClientConfig = {
        "allow_http": parts.scheme == "http",
        "connect_timeout": timedelta(seconds=access.connect_timeout),
        "read_timeout": timedelta(seconds=access.read_timeout),
        "timeout": timedelta(seconds=access.total_timeout),
        "user_agent": "trailcourier",
        # boto3's CA bundle, as a machine may have none; obstore adds its own
        "root_certificate": _read_bundle(access.network.ca_bundle),
        "proxy_url": proxy or _UNUSED_PROXY,
    }
    if proxy is None:
        options["proxy_excludes"] = parts.hostname or ""
    return options


_UNUSED_PROXY = "http://127.0.0.1:9"  # without a proxy_url obstore reads the environment


@functools.cache
def _read_bundle(path: Path | None) -> bytes:
    return Path(path or str(get_cert_path(True))).read_bytes()
