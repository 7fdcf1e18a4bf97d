"""The hosts that a configuration needs, and whether each is reachable."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import msgspec
from botocore.httpsession import get_cert_path

from trailcourier.aws import clients, faults, sessions, tls_contexts
from trailcourier.aws.calls import AwsCall
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network, Peer
from trailcourier.doctor import deadlines, reachability, tls_fixes
from trailcourier.doctor.configuration import unusable
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding, Level
from trailcourier.doctor.reachability import Failure
from trailcourier.doctor.subject import Shared, Subject
from trailcourier.errors import ConfigError
from trailcourier.ledger import broker
from trailcourier.objects.stores import Stores
from trailcourier.secret import Secret
from trailcourier.settings import Source
from trailcourier.sinks import SinkConfig

ANY = "any-bucket"  # placeholder for a bucket whose name is not known

ENTRIES: Entries = {
    "TC100": CatalogueEntry(
        "Can this machine reach AWS's hosts?",
        ("ok",),
        "Each AWS host that the source needs has a name that DNS resolves, accepts a connection "
        "(through the proxy, if one is set) and shows a trusted certificate. `trailcourier doctor "
        "--hosts` lists the hosts for a firewall, without credentials and without a network.",
    ),
    "TC101": CatalogueEntry(
        "Does DNS resolve the hosts' names?",
        ("not-checked", "error"),
        "This machine's DNS resolver does not know the name. Usual causes: a mistyped region, a "
        "resolver that knows only the company's names, a VPC endpoint without private DNS. With "
        "`fips`, some regions (those in China) have no such host.",
    ),
    "TC102": CatalogueEntry(
        "Do the hosts accept connections?",
        ("not-checked", "error"),
        "DNS resolves the name, but nothing accepts the connection. Usual causes: a firewall, a "
        "route, a security group. `trailcourier doctor --hosts` lists what to allow.",
    ),
    "TC103": CatalogueEntry(
        "Does the proxy connect to the hosts?",
        ("not-checked", "error"),
        "The proxy in HTTPS_PROXY refuses to connect to the host. 407 means that it requires a "
        "login: put user and password into its URL. 403 means that it does not allow the host. "
        "NO_PROXY names hosts that are reached without a proxy.",
    ),
    "TC104": CatalogueEntry(
        "Are the hosts' certificates trusted?",
        ("not-checked", "error"),
        "The usual cause is a proxy that intercepts TLS and shows a certificate of the company's "
        "own authority. Set AWS_CA_BUNDLE to a file that contains that authority's certificate. An "
        "expired certificate, one for another name, and a host that does not speak TLS are told "
        "apart.",
    ),
}
FIXES = {
    "TC101": "Make this machine's DNS resolve these names, or correct the region; with fips, use a "
    "region that has FIPS hosts.",
    "TC102": "Allow connections to them: `trailcourier doctor --hosts` lists them for a firewall.",
    "TC103": "Allow these hosts in the proxy, or name them in NO_PROXY.",
    "TC104": "Set AWS_CA_BUNDLE to a file with the certificate of the authority that signed it.",
}


class RequiredHost(msgspec.Struct, frozen=True):
    """A host, what it is needed for, and whether the *line* needs it or only doctor does."""

    peer: Peer
    why: str
    line: bool
    service: str = ""
    region: str = ""


def aws_hosts(subject: Subject) -> list[RequiredHost]:
    """Return the AWS hosts that the source needs; uses no network and no credentials.

    Raises ConfigError if botocore knows no host for a region.
    """
    return [_required_host(subject, *each) for each in _list_calls(subject)]


def _list_calls(subject: Subject) -> Iterator[tuple[AwsCall, str, bool]]:
    """Yield a call to each host, what the host is needed for, and whether the line needs it."""
    source = subject.source
    home, bucket_region = source.queue.region, source.bucket_region or source.queue.region
    yield AwsCall("sqs", "GetQueueUrl", home, parameters={"QueueName": "q"}), "the queue", True
    for bucket in _buckets(subject):
        yield _head_bucket(bucket, bucket_region), _of_bucket(subject, bucket), True
    for region, why, line in _sts_hosts(source):
        yield AwsCall("sts", "GetCallerIdentity", region), why, line
    topic = {"TopicArn": "arn"}
    yield AwsCall("sns", "GetTopicAttributes", home, parameters=topic), "the topic", False
    for region in dict.fromkeys((home, bucket_region)):
        yield AwsCall("cloudtrail", "DescribeTrails", region), "the trail", False
    yield AwsCall("kms", "DescribeKey", home, parameters={"KeyId": "k"}), "keys", False
    yield AwsCall("cloudwatch", "ListMetrics", home), "the age of the oldest message", False


def _head_bucket(bucket: str, region: str) -> AwsCall:
    return AwsCall("s3", "HeadBucket", region, parameters={"Bucket": bucket})


def _required_host(subject: Subject, call: AwsCall, why: str, line: bool) -> RequiredHost:
    return RequiredHost(_peer(subject, call), why, line, call.service, call.region)


def _sts_hosts(source: Source) -> Iterator[tuple[str, str, bool]]:
    """Yield each STS host's region, what it is needed for, and whether the line needs it."""
    home = source.queue.region
    role = source.credentials.kind == "assume-role"
    why = "the role" if role else "the credentials"
    yield source.credentials.sts_region or home, why, role
    for glob, each in source.bucket_credentials.items():
        if each.kind == "assume-role":
            yield each.sts_region or home, f"the role for buckets {glob}", True


def other_hosts(shared: Shared) -> list[RequiredHost]:
    """Return the hosts other than AWS's: the broker's and the sinks'."""
    found, settings = [], shared.settings
    if settings.broker.url is not None:
        options = broker.connect(settings.broker_url()).connection_pool.connection_kwargs
        if "path" not in options:  # a Unix socket has no host
            scheme = "tls" if settings.broker_url().startswith("rediss") else "tcp"
            url = f"{scheme}://{options.get('host', 'localhost')}:{options.get('port', 6379)}"
            found.append(RequiredHost(Peer(url), "the broker", line=True))
    return found + [host for each in settings.sinks.items() for host in sink_hosts(*each)]


def sink_hosts(name: str, sink: SinkConfig) -> list[RequiredHost]:
    """Return the hosts of a sink.  Raises ConfigError if a secret that names one is missing."""
    try:
        return [RequiredHost(peer, f"sink {name}", line=True) for peer in sink.peers()]
    except ValueError as error:
        raise ConfigError([f"sink {name}: {error}"]) from error


def check_bucket_host(subject: Subject, bucket: str, region: str) -> Finding | None:
    """Return the finding if the host of *bucket* in *region*, found by a redirect, fails."""
    host = _required_host(subject, _head_bucket(bucket, region), f"bucket {bucket}", line=True)
    (failure,) = reach_all(subject.shared, [host])
    return None if failure is None else unreached_finding(failure, [host])


def _buckets(subject: Subject) -> list[str]:
    return [x for x in subject.source.buckets if not set(x) & set("*?[")] or [ANY]


def _of_bucket(subject: Subject, bucket: str) -> str:
    whose = "the buckets" if bucket == ANY else f"bucket {bucket}"
    if subject.source.bucket_region is not None:
        return whose
    return f"{whose} (if in the queue's region; bucket_region is not set)"


class _UrlKnown(Exception):
    """Stops botocore before it sends a request; carries the request's URL."""


def _peer(subject: Subject, call: AwsCall) -> Peer:
    """Return the host to which botocore would send *call*, by its endpoint rules."""

    def stop(request: Any, **_: Any) -> None:
        raise _UrlKnown(request.url)

    network = subject.shared.settings.network
    client = _anonymous_client(subject, call.service, call.region)
    client.meta.events.register_first("before-send", stop)
    try:
        getattr(client, call.method)(**call.parameters)
    except _UrlKnown as known:
        parts = urlsplit(str(known))
        bundle = network.ca_bundle or Path(str(get_cert_path(True)))
        return Peer(f"{parts.scheme}://{parts.netloc}", bundle)
    except faults.AWS_ERRORS as error:
        raise ConfigError([f"{call.service} in {call.region}: {error}"]) from error
    raise ConfigError([f"{call.service} in {call.region}: botocore names no host for it"])


def _anonymous_client(subject: Subject, service: str, region: str) -> Any:
    """Return a client with the source's settings and placeholder credentials."""
    session = subject.shared.cache.get("placeholder", _placeholder_session)
    if service == "s3":
        return Stores(session, subject.bucket_access).client(region)
    network = subject.service_network(service, region)
    return clients.make_client(session, service, region, network=network)


def _placeholder_session() -> boto3.Session:
    word = Secret.public("nobody")
    keys = Credentials(kind="iam-user", access_key_id=word, secret_access_key=word)
    return sessions.make_session(keys, source="doctor", sts_region="us-east-1", network=Network())


def check_hosts(subject: Subject) -> Iterator[Finding]:
    """Check whether AWS's hosts are reachable: DNS, connection, proxy, TLS."""
    try:
        hosts = [_without_placeholder(each) for each in aws_hosts(subject)]
    except ConfigError as error:
        yield from unusable(error)
        return
    failures = reach_all(subject.shared, hosts)
    failed: dict[Failure, list[RequiredHost]] = {}
    for host, failure in zip(hosts, failures, strict=True):
        if failure is not None:
            failed.setdefault(failure, []).append(host)
            subject.block_service(host.service, host.region, failure.id)
    if good := [each for each, failure in zip(hosts, failures, strict=True) if failure is None]:
        names = ", ".join(dict.fromkeys(str(each.peer) for each in good))
        yield Finding("ok", "TC100", f"reached {names}{_through(subject, good)}")
    for failure, group in failed.items():
        yield unreached_finding(failure, group)


def unreached_finding(failure: Failure, hosts: Sequence[RequiredHost]) -> Finding:
    """Return the one finding for *hosts* that all have the same *failure*."""
    level: Level = "error" if any(each.line for each in hosts) else "not-checked"
    listed = ", ".join(f"{each.peer} ({each.why})" for each in hosts)
    fix = FIXES[failure.id]
    if failure.id == "TC104":
        fix = tls_fixes.fix_for(failure.words, fix)
    return Finding(level, failure.id, f"{listed}: {failure.words}", fix)


def reach_all(shared: Shared, hosts: Sequence[RequiredHost]) -> list[Failure | None]:
    """Connect to all *hosts* at the same time, each once; return each one's failure, or None."""
    network, seconds = shared.settings.network, shared.seconds_left(reachability.SECONDS)

    def reach(host: RequiredHost) -> Failure | None:
        trusted = tls_contexts.as_boto3 if host.service else tls_contexts.for_sink
        asked = partial(reachability.reach, host.peer, network, seconds=seconds, trusted=trusted)
        return shared.cache.get(("reach", host.peer), asked)

    asked = [deadlines.start_thread(partial(reach, host)) for host in hosts]
    return [each.result(seconds + 1) for each in asked]


def _without_placeholder(host: RequiredHost) -> RequiredHost:
    """Return *host* without the placeholder bucket in its name, which DNS does not know."""
    url = host.peer.url.replace(f"{ANY}.", "")
    return msgspec.structs.replace(host, peer=msgspec.structs.replace(host.peer, url=url))


def _through(subject: Subject, hosts: Sequence[RequiredHost]) -> str:
    proxies = {subject.shared.settings.network.proxy(each.peer.url) for each in hosts} - {None}
    named = sorted(urlsplit(str(each)).hostname or str(each) for each in proxies)
    return f", through the proxy {', '.join(named)}" if named else ""
