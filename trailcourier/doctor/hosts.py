"""Every host the configuration needs, for a firewall list, and whether each is reached."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import boto3
import msgspec
from botocore.httpsession import get_cert_path

from trailcourier import aws, broker
from trailcourier.credentials import Credentials
from trailcourier.doctor import bounded, reaching
from trailcourier.doctor.configuration import unusable
from trailcourier.doctor.finding import Entries, Entry, Finding, Level
from trailcourier.doctor.reaching import Failure
from trailcourier.doctor.subject import Shared, Subject
from trailcourier.egress import Egress, Peer
from trailcourier.errors import ConfigError
from trailcourier.objects.stores import Stores
from trailcourier.secret import Secret
from trailcourier.settings import Source
from trailcourier.sinks import SinkConfig, trust

ANY = "any-bucket"  # stands for a bucket whose name is not known

TOLD: Entries = {
    "TC100": Entry(
        "Are the hosts reached?",
        ("ok",),
        "Each host of AWS that the source needs was found by its name, took a connection (through "
        "the proxy, if one is set) and showed a certificate that is trusted. "
        "`trailcourier doctor --hosts` lists them for a firewall, without credentials and without "
        "a network.",
    ),
    "TC101": Entry(
        "Are the hosts' names known?",
        ("unproved", "error"),
        "DNS does not know the name, from this machine. A region mistyped, a resolver that knows "
        "only the company's names, a VPC endpoint without private DNS. With `fips` some regions "
        "(those in China) have no such host at all.",
    ),
    "TC102": Entry(
        "Do they take connections?",
        ("unproved", "error"),
        "The name is known, and nothing answers there: a firewall, a route, a security group. "
        "`trailcourier doctor --hosts` lists what has to be let through.",
    ),
    "TC103": Entry(
        "Does the proxy let them through?",
        ("unproved", "error"),
        "The proxy of HTTPS_PROXY refuses to connect to the host: it asks for a login (407; put "
        "user and password into the URL), or does not allow the host (403). NO_PROXY names hosts "
        "that need no proxy.",
    ),
    "TC104": Entry(
        "Are their certificates trusted?",
        ("unproved", "error"),
        "Often a proxy that opens TLS and shows a certificate of the company's own: let "
        "AWS_CA_BUNDLE name a file with that authority's certificate in it.",
    ),
}
FIXES = {
    "TC101": "Let this machine's resolver know these names, or correct the region; fips needs a "
    "region that has such hosts.",
    "TC102": "Open the way to them: `trailcourier doctor --hosts` has the list for the firewall.",
    "TC103": "Let the proxy connect to these hosts, or name them in NO_PROXY.",
    "TC104": "Let AWS_CA_BUNDLE name the certificates of the authority that signed what was shown.",
}


class Host(msgspec.Struct, frozen=True):
    """A host, whom it is for, and whether the *line* needs it or only this look at things."""

    peer: Peer
    why: str
    line: bool
    service: str = ""
    region: str = ""


def needed(subject: Subject) -> list[Host]:
    """Return AWS's hosts for the source; nothing is asked and no credentials are needed."""
    source = subject.source
    home, bucket_region = source.queue.region, source.bucket_region or source.queue.region
    asked = [
        ("sqs", home, "get_queue_url", {"QueueName": "q"}, "the queue", True),
        *(
            ("s3", bucket_region, "head_bucket", {"Bucket": each}, _of_bucket(subject, each), True)
            for each in _buckets(subject)
        ),
        *(("sts", *each) for each in _sts(source)),
        ("sns", home, "get_topic_attributes", {"TopicArn": "arn"}, "the topic", False),
        ("cloudtrail", home, "describe_trails", {}, "the trail", False),
        ("kms", home, "describe_key", {"KeyId": "k"}, "keys", False),
    ]
    return [
        Host(_peer(subject, service, region, operation, given), why, line, service, region)
        for service, region, operation, given, why, line in asked
    ]


def beside(shared: Shared) -> list[Host]:
    """Return the hosts that are not AWS's: the broker and the sinks."""
    found, settings = [], shared.settings
    if settings.broker.url is not None:
        known = broker.connect(settings.broker_url()).connection_pool.connection_kwargs
        if "path" not in known:
            scheme = "tls" if settings.broker_url().startswith("rediss") else "tcp"
            url = f"{scheme}://{known.get('host', 'localhost')}:{known.get('port', 6379)}"
            found.append(Host(Peer(url), "the broker", line=True))
    return found + [host for each in settings.sinks.items() for host in of_sink(*each)]


def of_sink(name: str, sink: SinkConfig) -> list[Host]:
    """Return the hosts of a sink; raises ConfigError where the secret that names one is gone."""
    try:
        return [Host(peer, f"sink {name}", line=True) for peer in sink.peers()]
    except ValueError as error:
        raise ConfigError([f"sink {name}: {error}"]) from error


def closed(subject: Subject, bucket: str, region: str) -> Finding | None:
    """Say what keeps *bucket*'s host from being reached, for one that turned out elsewhere."""
    peer = _peer(subject, "s3", region, "head_bucket", {"Bucket": bucket})
    host = Host(peer, f"bucket {bucket}", line=True, service="s3", region=region)
    (failure,) = reached(subject.shared, [host])
    return None if failure is None else finding(failure, [host])


class Row(msgspec.Struct, frozen=True):
    """A line of a firewall list.

    *host* begins with ``*.`` where every bucket's is meant; *by* is ``line`` where records cannot
    be carried without it, else ``doctor``; *proxy* is through which it is reached, if through one.
    """

    host: str
    port: int
    why: str
    by: Literal["line", "doctor"]
    proxy: str = ""


def rows(shared: Shared, names: Sequence[str]) -> list[Row]:
    """Return every host that the sources *names*, the broker and the sinks need, each once."""
    found = [host for name in names for host in _of_source(shared, name)] + beside(shared)
    same: dict[str, list[Host]] = {}
    for each in found:
        same.setdefault(each.peer.url, []).append(each)
    return [_row(shared, those) for those in same.values()]


def _of_source(shared: Shared, name: str) -> list[Host]:
    hosts = needed(Subject(name, shared))
    return [msgspec.structs.replace(each, why=f"{each.why} of {name}") for each in hosts]


def _row(shared: Shared, hosts: Sequence[Host]) -> Row:
    peer = hosts[0].peer
    proxy = shared.settings.egress.proxy(peer.url) if peer.web else None
    return Row(
        host=peer.host.replace(f"{ANY}.", "*."),
        port=peer.port,
        why="; ".join(dict.fromkeys(each.why for each in hosts)),
        by="line" if any(each.line for each in hosts) else "doctor",
        proxy=urlsplit(proxy).hostname or "" if proxy else "",
    )


def _buckets(subject: Subject) -> list[str]:
    return [x for x in subject.source.buckets if not set(x) & set("*?[")] or [ANY]


def _of_bucket(subject: Subject, bucket: str) -> str:
    whose = "the buckets" if bucket == ANY else f"bucket {bucket}"
    known = subject.source.bucket_region is not None
    return whose if known else f"{whose} (if in the queue's region, for none is set)"


def _sts(source: Source) -> Iterator[tuple[str, str, dict[str, Any], str, bool]]:
    """Give each region whose STS is asked: for a role, without which nothing is carried, or not."""
    home, those = source.queue.region, [source.credentials, *source.bucket_credentials.values()]
    roles = {each.sts_region or home for each in those if each.kind == "assume-role"}
    for region in sorted(roles | {source.credentials.sts_region or home}):
        needed = region in roles
        why = "the role" if needed else "the credentials"
        yield region, "get_caller_identity", {}, why, needed


class _Asked(Exception):
    pass


def _peer(
    subject: Subject, service: str, region: str, operation: str, given: dict[str, Any]
) -> Peer:
    """Return where botocore would send this, by its endpoint rules."""

    def stop(request: Any, **_: Any) -> None:
        raise _Asked(request.url)

    egress = subject.shared.settings.egress
    client = _nobodys(subject, service, region)
    client.meta.events.register_first("before-send", stop)
    try:
        getattr(client, operation)(**given)
    except _Asked as asked:
        parts = urlsplit(str(asked))
        bundle = egress.ca_bundle or Path(str(get_cert_path(True)))
        return Peer(f"{parts.scheme}://{parts.netloc}", bundle)
    except aws.ERRORS as error:
        raise ConfigError([f"{service} in {region}: {error}"]) from error
    raise ConfigError([f"{service} in {region}: botocore asks nobody"])


def _nobodys(subject: Subject, service: str, region: str) -> Any:
    """Return a client like the source's, without its credentials."""
    if service == "s3":
        return Stores(_nobody(), subject.reach).client(region)
    queue, source = subject.source.queue, subject.source
    ours = service == "sqs"
    return aws.client(
        _nobody(),
        service,
        region,
        egress=subject.shared.settings.egress,
        endpoint=queue.endpoint if ours else None,
        fips=source.fips or (ours and queue.fips),
        dualstack=source.dualstack or (ours and queue.dualstack),
    )


def _nobody() -> boto3.Session:
    word = Secret.public("nobody")
    keys = Credentials(kind="iam-user", access_key_id=word, secret_access_key=word)
    return aws.session(keys, source="doctor", sts_region="us-east-1", egress=Egress())


def look(subject: Subject) -> Iterator[Finding]:
    """Look whether AWS's hosts are reached: name, connection, proxy, TLS."""
    try:
        hosts = [_probed(each) for each in needed(subject)]
    except ConfigError as error:
        yield from unusable(error)
        return
    failures = reached(subject.shared, hosts)
    failed: dict[Failure, list[Host]] = {}
    for host, failure in zip(hosts, failures, strict=True):
        if failure is not None:
            failed.setdefault(failure, []).append(host)
            subject.keep_from(host.service, host.region, failure.id)
    if good := [each for each, failure in zip(hosts, failures, strict=True) if failure is None]:
        names = ", ".join(dict.fromkeys(str(each.peer) for each in good))
        yield Finding("ok", "TC100", f"reached {names}{_through(subject, good)}")
    for failure, those in failed.items():
        yield finding(failure, those)


def finding(failure: Failure, hosts: Sequence[Host]) -> Finding:
    """Return what *failure* of all *hosts*, which is one cause, means."""
    level: Level = "error" if any(each.line for each in hosts) else "unproved"
    told = ", ".join(f"{each.peer} ({each.why})" for each in hosts)
    return Finding(level, failure.id, f"{told}: {failure.words}", FIXES[failure.id])


def reached(shared: Shared, hosts: Sequence[Host]) -> list[Failure | None]:
    """Reach all *hosts* at the same time, each once; say for each what failed, if anything did."""
    egress, seconds = shared.settings.egress, shared.left(reaching.SECONDS)

    def reach(host: Host) -> Failure | None:
        trusted = reaching.as_boto3 if host.service else trust.context
        asked = partial(reaching.reach, host.peer, egress, seconds=seconds, trusted=trusted)
        return shared.known.get(("reach", host.peer), asked)

    asked = [bounded.start(partial(reach, host)) for host in hosts]
    return [each.result(seconds + 1) for each in asked]


def _probed(host: Host) -> Host:
    """Return *host* as it can be reached: no bucket in its name where none is known."""
    url = host.peer.url.replace(f"{ANY}.", "")
    return msgspec.structs.replace(host, peer=msgspec.structs.replace(host.peer, url=url))


def _through(subject: Subject, hosts: Sequence[Host]) -> str:
    egress = subject.shared.settings.egress
    proxies = {egress.proxy(each.peer.url) for each in hosts} - {None}
    named = sorted(urlsplit(str(each)).hostname or str(each) for each in proxies)
    return f", through the proxy {', '.join(named)}" if named else ""
