"""The line for each problem of a configuration: file or variable, key, and what to do."""

from pathlib import Path

import pytest

from trailcourier import settings
from trailcourier.errors import ConfigError

HUNTER = "hunter2-correct-horse"
URL = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
SINK = '[sinks.out]\ntype = "stdout"\n'


def config(source: str = "", *, more: str = SINK, url: str = URL, sinks: str = '["out"]') -> str:
    return f'[sources.prod]\nqueue_url = "{url}"\nsinks = {sinks}\n{source}\n{more}'


def credentials(text: str) -> str:
    return config(f"[sources.prod.credentials]\n{text}")


def insightidr(text: str) -> str:
    return config(more=f'[sinks.out]\ntype = "insightidr"\n{text}\n')


def broker(text: str) -> str:
    return config(more=f"{SINK}[broker]\n{text}\n")


CASES = {
    # unknown keys, at every depth
    "unknown-table": (
        'sorces.x.queue_url = "q"\n' + config(),
        "sorces: unknown key; did you mean sources?",
    ),
    "unknown-key-nothing-near": ("zzz = 1\n" + config(), "zzz: unknown key"),
    "unknown-key-of-a-section": (
        broker("urll = 1"),
        "broker.urll: unknown key; did you mean url?",
    ),
    "unknown-key-of-a-source": (
        config(f'queue_ulr = "{HUNTER}"'),
        "sources.prod.queue_ulr: unknown key; did you mean queue_url?",
    ),
    "unknown-key-of-credentials": (
        credentials(f'role_anr = "{HUNTER}"'),
        "sources.prod.credentials.role_anr: unknown key; did you mean role_arn?",
    ),
    "unknown-key-of-a-sink": (
        config(more='[sinks.out]\ntype = "file"\npath = "x"\nfsink = true\n'),
        "sinks.out.fsink: unknown key; did you mean fsync?",
    ),
    "unknown-number": (
        config(more=SINK + "[line]\nin_flght = 5\n"),
        "line.in_flght: unknown key; did you mean in_flight?",
    ),
    "unknown-expert-number": (
        config(more=SINK + "[line.expert]\nvisiblity = 5\n"),
        "line.expert.visiblity: unknown key; did you mean visibility?",
    ),
    "expert-number-in-its-old-place": (
        config(more=SINK + "[line]\nvisibility = 5\n"),
        "line.visibility: moved to line.expert.visibility",
    ),
    "strange-key": (
        config('"a\\nb" = 1'),
        'sources.prod."a\\nb": unknown key',
    ),
    # shapes
    "section-is-no-table": ("line = 5\n" + config(), "line: must be a table"),
    "sources-is-no-table": (
        "sources = 5\n" + SINK,
        "sources: must be a table",
    ),
    "source-is-no-table": ("sources.prod = 5\n" + SINK, "sources.prod: must be a table"),
    "sink-is-no-table": (
        "sinks.out = 5\n" + config(more=""),
        "sinks.out: must be a table",
    ),
    "list-of-numbers": (
        config("buckets = [1]"),
        "sources.prod.buckets[0]: must be a valid string",
    ),
    "no-list": (config("buckets = 1"), "sources.prod.buckets: must be a list"),
    "bad-choice": (
        config('unknown_key = "eat"'),
        "sources.prod.unknown_key: must be 'read', 'skip' or 'refuse'",
    ),
    "method": (config('method = "s3"'), "sources.prod.method: must be 'sqs'"),
    "too-small": (
        broker("visibility_timeout = 30"),
        "broker.visibility_timeout: must be greater than 30",
    ),
    # sources
    "no-source": (SINK, "sources: none is configured; add a table [sources.NAME] with its "),
    "source-name": (
        config().replace("prod", "Prod_1"),
        "sources.Prod_1: a name is 1 to 40 of a-z, 0-9 and -",
    ),
    "sink-name": (
        config(more='[sinks."ö"]\ntype = "stdout"\n' + SINK),
        'sinks."\\u00f6": a name is 1 to 40 of a-z, 0-9 and -',
    ),
    "no-queue": (
        config().replace("queue_url", "#"),
        "sources.prod.queue_url: missing",
    ),
    "fifo": (
        config(url=URL + ".fifo"),
        "sources.prod.queue_url: is a FIFO queue; CloudTrail and S3 notify standard queues only",
    ),
    "queue-with-password": (
        config(url=URL.replace("//", f"//u:{HUNTER}@")),
        "sources.prod.queue_url: contains a user, query or fragment; a queue URL ends with",
    ),
    "emulator-without-region": (
        config(url="http://127.0.0.1:5000/111122223333/q"),
        "sources.prod.queue_url: does not name its region (127.0.0.1 is not an AWS host): set",
    ),
    "region-of-queue-and-url": (
        config('queue_region = "eu-west-1"'),
        "sources.prod.queue_url: is in us-east-1, but queue_region is eu-west-1",
    ),
    "queue-in-no-region": (
        config(url=URL.replace("us-east-1", "us-esat-1")),
        "sources.prod.queue_url: us-esat-1 is not a region of the installed boto3; did ",
    ),
    "bucket-region-misspelt": (
        config('bucket_region = "eu-wset-1"'),
        "sources.prod.bucket_region: eu-wset-1 is not a region of the installed boto3; did ",
    ),
    "queue-region-misspelt-and-nothing-else": (
        config(
            'queue_region = "us-esat-1"\nbucket_region = "us-east-1"',
            url="http://127.0.0.1:5000/111122223333/q",
        ),
        (
            "sources.prod.queue_region: us-esat-1 is not a region of the installed boto3; did you "
            "mean us-east-1?"
        ),
    ),
    "bucket-region-by-its-name": (
        config('bucket_region = "US_EST_OHIO"'),
        (
            "sources.prod.bucket_region: is not an AWS region code (examples: us-east-1, "
            "US_STANDARD); did you mean US_EAST_OHIO?"
        ),
    ),
    "bucket-region-shapeless": (
        config('bucket_region = "Ireland"'),
        "sources.prod.bucket_region: is not an AWS region code (examples: us-east-1, US_STANDARD)",
    ),
    "bucket-in-another-partition": (
        config('bucket_region = "us-gov-west-1"'),
        "sources.prod.bucket_region: is in partition aws-us-gov, the queue in aws (us-east-1)",
    ),
    "fips-in-china": (
        config(
            "fips = true", url="https://sqs.cn-north-1.amazonaws.com.cn/111122223333/cloudtrail"
        ),
        "sources.prod.fips: there are no FIPS endpoints in China: leave it out",
    ),
    "owner": (config('expected_bucket_owner = "acme"'), "sources.prod.expected_bucket_owner: m"),
    "rules-and-unfiltered": (
        config('unfiltered = true\nfilter.drop = [{ eventName = "Decrypt" }]'),
        "sources.prod.filter: cannot be combined with unfiltered = true: leave one of them out",
    ),
    "rules-without-a-rule": (
        config("[sources.prod.filter]"),
        "sources.prod.filter: neither drop nor keep; to send everything set unfiltered = true",
    ),
    "rule-misspelt": (
        config('filter.drpo = [{ eventName = "Decrypt" }]'),
        "sources.prod.filter.drpo: unknown key; did you mean drop?",
    ),
    "rule-without-a-field": (
        config("filter.drop = [{}]"),
        "sources.prod.filter.drop[0]: a rule without a field would match every record",
    ),
    # sinks
    "no-sinks": (config().replace("sinks = ", "# "), "sources.prod.sinks: missing"),
    "empty-sinks": (config(sinks="[]"), "sources.prod.sinks: tuple should have at least 1 item"),
    "sink-twice": (config(sinks='["out", "out"]'), "sources.prod.sinks: names a sink twice"),
    "sink-misspelt": (
        config(sinks='["uot"]'),
        'sources.prod.sinks: there is no sink "uot"; did you mean out?',
    ),
    "sink-absent": (
        config(more=""),
        'sources.prod.sinks: there is no sink "out"; add a table [sinks.out]',
    ),
    "sink-without-type": (
        config(more='[sinks.out]\npath = "x"\n'),
        "sinks.out.type: must be one of file, insightidr, stdout",
    ),
    "sink-of-no-type": (
        config(more='[sinks.out]\ntype = "fill"\n'),
        "sinks.out.type: must be one of file, insightidr, stdout",
    ),
    "way-left-out": (
        config(more='[sinks.out]\ntype = "insightidr"\nhost = "h"\n'),
        "sinks.out.way: must be one of collector, webhook, token",
    ),
    "way-misspelt": (
        insightidr('way = "colector"'),
        "sinks.out.way: must be one of collector, webhook, token",
    ),
    "key-of-another-way": (
        insightidr('way = "collector"\nhost = "h"\nport = 1\nregion = "eu"'),
        "sinks.out.region: unknown key",
    ),
    "key-of-a-way-misspelt": (
        insightidr('way = "collector"\nhost = "h"\nport = 1\nca_fiel = "x"'),
        "sinks.out.ca_fiel: unknown key; did you mean ca_file?",
    ),
    "host-with-a-port": (
        insightidr('way = "collector"\nhost = "h:6514"\nport = 6514'),
        "sinks.out.host: is not a host name or address (example: logs.example.com",
    ),
    "ca-file-absent": (
        insightidr('way = "collector"\nhost = "h"\nport = 1\nca_file = "/no/such.pem"'),
        "sinks.out.ca_file: path does not point to a file",
    ),
    "ca-file-without-certificates": (
        insightidr('way = "collector"\nhost = "h"\nport = 1\nca_file = "trailcourier.toml"'),
        "sinks.out.ca_file: trailcourier.toml holds no certificate in PEM",
    ),
    "name-beside-plain-tcp": (
        insightidr('way = "collector"\nhost = "h"\nport = 1\ntls = false\nserver_name = "n"'),
        "sinks.out.server_name: has no effect with tls = false: leave one of them out",
    ),
    "accepted-when": (
        insightidr('way = "collector"\nhost = "h"\nport = 1\naccept_when = "sent"'),
        "sinks.out.accept_when: must be 'read' or 'acknowledged'",
    ),
    "token-in-the-file": (
        insightidr(f'way = "token"\nregion = "eu"\ntoken = "{HUNTER}"'),
        "sinks.out.token: expected a reference to a secret, not the secret: use ",
    ),
    "token-of-no-log": (
        insightidr('way = "token"\nregion = "eu"\ntoken = "env:WORD"'),
        "sinks.out.token: env:WORD holds no log token of Rapid7, which is a UUID",
    ),
    "token-unset": (
        insightidr('way = "token"\nregion = "eu"\ntoken = "env:NOPE"'),
        "sinks.out.token: the environment variable NOPE is not set",
    ),
    "region-of-aws": (
        insightidr('way = "token"\nregion = "eu-west-1"\ntoken = "env:TOKEN"'),
        "sinks.out.region: must be 'us', 'us2', 'us3', 'eu', 'ca', 'au' or 'ap'",
    ),
    "token-to-nowhere": (
        insightidr('way = "token"\ntoken = "env:TOKEN"'),
        "sinks.out.host: missing, and so is region: set one of them",
    ),
    "token-to-two-places": (
        insightidr('way = "token"\ntoken = "env:TOKEN"\nregion = "eu"\nhost = "h"'),
        "sinks.out.host: cannot be combined with region: leave one of them out",
    ),
    "webhook-to-nowhere": (
        insightidr('way = "webhook"'),
        "sinks.out.url: missing, and so is region and token",
    ),
    "webhook-without-a-token": (
        insightidr('way = "webhook"\nregion = "eu"'),
        "sinks.out.url: missing, and so is token",
    ),
    "webhook-to-two-places": (
        insightidr('way = "webhook"\nregion = "eu"\ntoken = "env:TOKEN"\nurl = "env:WEB"'),
        "sinks.out.url: cannot be combined with region and token: leave one of them out",
    ),
    "webhook-url-in-the-file": (
        insightidr(f'way = "webhook"\nurl = "https://example.com/{HUNTER}"'),
        "sinks.out.url: expected a reference to a secret, not the secret: use ",
    ),
    "webhook-url-that-is-none": (
        insightidr('way = "webhook"\nurl = "env:WORD"'),
        "sinks.out.url: env:WORD holds no URL such as https://HOST/PATH",
    ),
    "webhook-with-many-records": (
        insightidr('way = "webhook"\nregion = "eu"\ntoken = "env:TOKEN"\nrequest_records = 100'),
        "sinks.out.request_records: must be 1: Rapid7 keeps only the first line of a request, ",
    ),
    "sink-without-its-path": (
        config(more='[sinks.out]\ntype = "file"\n'),
        "sinks.out.path: missing",
    ),
    # two sources
    "one-queue-twice": (
        config(more=SINK + f'[sources.b]\nqueue_url = "{URL}"\nsinks = ["out"]\n'),
        "sources.b.queue_url: is also the queue of prod, and SQS gives each message to only one",
    ),
    "one-queue-in-two-forms": (
        config(
            more=SINK + "[sources.b]\nsinks = ['out']\n"
            'queue_url = "https://us-east-1.queue.amazonaws.com/111122223333/cloudtrail"\n'
        ),
        "sources.b.queue_url: is also the queue of prod",
    ),
    # credentials
    "secret-in-the-file": (
        credentials(f'kind = "iam-user"\naccess_key_id = "env:ID"\nsecret_access_key = "{HUNTER}"'),
        "sources.prod.credentials.secret_access_key: expected a reference to a secret, ",
    ),
    "secret-unset": (
        credentials(
            'kind = "assume-role"\nrole_arn = "arn:aws:iam::111122223333:role/x"\n'
            'external_id = "env:NOPE"'
        ),
        "sources.prod.credentials.external_id: the environment variable NOPE is not set",
    ),
    "secret-file-absent": (
        credentials(
            'kind = "assume-role"\nrole_arn = "arn:aws:iam::111122223333:role/x"\n'
            'external_id = "file:/no/such"'
        ),
        "sources.prod.credentials.external_id: cannot read /no/such: No such file or directory",
    ),
    "role-of-another-kind": (
        credentials('role_arn = "arn:aws:iam::111122223333:role/x"'),
        'sources.prod.credentials.role_arn: does not belong to kind "default"; it is for',
    ),
    "role-of-a-bucket-in-another-partition": (
        credentials(
            '[sources.prod.bucket_credentials."acme-*"]\nkind = "assume-role"\n'
            'role_arn = "arn:aws-cn:iam::111122223333:role/x"'
        ),
        "sources.prod.bucket_credentials: is in partition aws-cn, the queue in aws (us-east-1)",
    ),
    "role-in-another-partition": (
        credentials('kind = "assume-role"\nrole_arn = "arn:aws-cn:iam::111122223333:role/x"'),
        "sources.prod.credentials: is in partition aws-cn, the queue in aws (us-east-1)",
    ),
    # broker
    "broker-with-password": (
        broker(f'url = "redis://:{HUNTER}@h"'),
        "broker.url: expected a reference to a secret, not the secret: use",
    ),
    "broker-password-alone": (
        broker(f'url = "{HUNTER}"'),
        "broker.url: expected a reference to a secret, not the secret: use",
    ),
    "broker-password-in-query": (
        broker(f'url = "redis://h?password={HUNTER}"'),
        "broker.url: expected a reference to a secret, not the secret: use",
    ),
    "broker-cluster": (
        broker('url = "redis://h/0?cluster=true"'),
        "broker.url: is a Redis Cluster",
    ),
    "broker-cluster-scheme": (broker('url = "env:CLUSTER"'), "broker.url: is a Redis Cluster,"),
    "broker-hosts": (broker('url = "redis://a:1,b:2/0"'), "broker.url: is a Redis Cluster,"),
    "broker-sentinel": (broker('url = "env:SENTINEL"'), "broker.url: is a Redis Sentinel"),
    "broker-amqp": (broker('url = "env:AMQP"'), "broker.url: must be the URL of a Redis or Valkey"),
    "broker-port": (
        broker('url = "redis://h:x"'),
        "broker.url: must be a URL such as redis://:PASSWORD@",
    ),
    "broker-socket": (
        broker('url = "redis+socket:///run/x"'),
        "broker.url: must be the URL of a Redis or Valkey",
    ),
    "broker-ca": (broker('ca_file = "/no/such"'), "broker.ca_file: path does not point to a file"),
}


@pytest.fixture
def problems(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "ID": HUNTER,
        "CLUSTER": f"redis+cluster://:{HUNTER}@h",
        "SENTINEL": f"sentinel://:{HUNTER}@h:1",
        "AMQP": f"amqp://u:{HUNTER}@h",
        "TOKEN": "2bfbea1e-10c3-4419-bdad-7e6435882e1f",
        "WEB": f"https://logs.example.com/{HUNTER}",
        "WORD": HUNTER,
    }.items():
        monkeypatch.setenv(name, value)

    def of(text: str) -> tuple[str, ...]:
        Path("trailcourier.toml").write_text(text)
        with pytest.raises(ConfigError) as caught:
            settings.load()
        return caught.value.problems

    return of


@pytest.mark.parametrize(("text", "expected"), [pytest.param(*c, id=i) for i, c in CASES.items()])
def test_a_wrong_configuration_is_reported_in_its_line(problems, text, expected):
    (line,) = problems(text)

    assert line.startswith(f"trailcourier.toml: {expected}")
    assert HUNTER not in line
    assert "\n" not in line


def test_all_problems_are_reported_at_once(problems):
    text = "\n".join(
        [
            "[broker]",
            'url = "redis://h/0?cluster=1"',
            "[sources.a]",
            f'queue_url = "{URL}"',
            'sinks = ["uot"]',
            "unfiltered = true",
            "[sources.a.filter]",
            "[sources.b]",
            f'queue_url = "{URL}"',
            'sinks = ["out"]',
            "polers = 2",
            SINK,
        ]
    )

    found = problems(text)

    assert [line.split(": ")[1] for line in found] == [
        "broker.url",
        "sources.a.filter",
        "sources.b.polers",
        "sources.b.queue_url",
        "sources.a.sinks",
    ]
