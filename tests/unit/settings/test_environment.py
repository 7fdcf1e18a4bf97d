"""Every form in which variables set keys, and the errors of wrong ones."""

from pathlib import Path

import pytest

from trailcourier import settings
from trailcourier.errors import ConfigError
from trailcourier.settings import environment

HUNTER = "hunter2-correct-horse"
FILE = """
[sources.prod-eu]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
buckets = ["acme-cloudtrail"]
sinks = ["out"]
[sinks.out]
type = "stdout"
"""
PROD = "TRAILCOURIER_SOURCES__PROD_EU__"


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("trailcourier.toml").write_text(FILE)

    def load(**env):
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return settings.load()

    return load


@pytest.fixture
def problems(load):
    def problems(**env):
        with pytest.raises(ConfigError) as caught:
            load(**env)
        assert HUNTER not in str(caught.value)
        return caught.value.problems

    return problems


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("TRAILCOURIER_LOG_LEVEL", "error", "log_level"),
        ("TRAILCOURIER_LOG_FORMAT", "json", "log_format"),
    ],
)
def test_log_settings_have_short_names_and_the_long_ones_win(load, problems, name, value, key):
    assert getattr(load(**{name: value}).workers, key) == value

    (problem,) = problems(**{name: HUNTER})
    assert name in problem

    long = f"TRAILCOURIER_WORKERS__{key.upper()}"
    other = {"error": "debug", "json": "console"}[value]
    assert getattr(load(**{name: value, long: other}).workers, key) == other


SOURCE = [
    ("BUCKET_REGION", "EU_PARIS", "bucket_region", "eu-west-3"),
    ("BUCKETS", "a, b*", "buckets", ("a", "b*")),
    ("BUCKETS", '["a,b", "c"]', "buckets", ("a,b", "c")),
    ("UNFILTERED", "true", "unfiltered", True),
    ("FIPS", "0", "fips", False),
    ("POLLERS", "3", "pollers", 3),
    ("EXPECTED_BUCKET_OWNER", "111122223333", "expected_bucket_owner", "111122223333"),
]


@pytest.mark.parametrize(
    ("name", "value", "key", "expected"),
    [pytest.param(*case, id=f"{case[0]}={case[1]}") for case in SOURCE],
)
def test_a_variable_sets_a_key_of_a_source(load, name, value, key, expected):
    found = load(**{PROD + name: value})

    assert getattr(found.sources["prod-eu"], key) == expected


def test_a_variable_sets_a_key_of_a_table_in_a_source(load):
    found = load(
        **{
            f"{PROD}CREDENTIALS__KIND": "assume-role",
            f"{PROD}CREDENTIALS__ROLE_ARN": "arn:aws:iam::111122223333:role/x",
            f"{PROD}CREDENTIALS__SESSION_NAME": "12345",
            f"{PROD}CREDENTIALS__EXTERNAL_ID": "env:EXTERNAL",
            "EXTERNAL": HUNTER,
        }
    )

    credentials = found.sources["prod-eu"].credentials
    assert (credentials.kind, credentials.session_name) == ("assume-role", "12345")
    assert credentials.external_id.reveal() == HUNTER


def test_a_variable_holds_a_list_of_tables_as_json(load):
    found = load(**{f"{PROD}FILTER__DROP": '[{"eventName": "Decrypt"}]'})

    (rule,) = found.sources["prod-eu"].filter.drop
    assert rule.conditions[0].path == "eventName"


def test_variables_set_process_settings(load):
    found = load(
        TRAILCOURIER_BROKER__NAMESPACE="audit",
        TRAILCOURIER_WORKERS__THREADS="2",
        TRAILCOURIER_LINE__EXPERT__PARK_FIRST="0.5",
    )

    assert (found.broker.namespace, found.workers.threads, found.numbers.park_first) == (
        "audit",
        2,
        0.5,
    )


def test_variables_alone_can_be_the_configuration(load):
    Path("trailcourier.toml").unlink()

    found = load(
        TRAILCOURIER_SOURCES__PROD__QUEUE_URL="https://sqs.us-east-1.amazonaws.com/111122223333/q",
        TRAILCOURIER_SOURCES__PROD__SINKS="archive",
        TRAILCOURIER_SINKS__ARCHIVE__TYPE="file",
        TRAILCOURIER_SINKS__ARCHIVE__PATH="events",
    )

    assert found.path is None
    assert found.sources["prod"].queue.name == "q"
    assert found.sinks["archive"].path == Path("events")


def test_a_sink_with_several_ways_can_be_variables_alone(load):
    found = load(
        TRAILCOURIER_SINKS__SIEM_1__TYPE="insightidr",
        TRAILCOURIER_SINKS__SIEM_1__WAY="collector",
        TRAILCOURIER_SINKS__SIEM_1__HOST="logs.example.com",
        TRAILCOURIER_SINKS__SIEM_1__PORT="6514",
        TRAILCOURIER_SINKS__SIEM_1__TLS="false",
    )

    sink = found.sinks["siem-1"]
    assert (sink.way, sink.host, sink.port, sink.tls) == (
        "collector", "logs.example.com", 6514, False,
    )  # fmt: skip


def test_a_variable_of_another_way_of_the_sink_is_an_error_that_names_it(load):
    with pytest.raises(ConfigError) as raised:
        load(
            TRAILCOURIER_SINKS__SIEM__TYPE="insightidr",
            TRAILCOURIER_SINKS__SIEM__WAY="webhook",
            TRAILCOURIER_SINKS__SIEM__URL="env:WEB",
            TRAILCOURIER_SINKS__SIEM__PORT="6514",
            WEB="https://logs.example.com/x",
        )

    (problem,) = raised.value.problems
    assert problem.startswith("TRAILCOURIER_SINKS__SIEM__PORT: unknown key")


def test_a_variable_overrides_the_file(load):
    found = load(**{f"{PROD}SINKS": "other", "TRAILCOURIER_SINKS__OTHER__TYPE": "stdout"})

    assert found.sources["prod-eu"].sinks == ("other",)
    assert found.sources["prod-eu"].buckets == ("acme-cloudtrail",)


def test_an_empty_variable_is_unset(load):
    found = load(**{f"{PROD}BUCKETS": "", "AWS_ENDPOINT_URL": "", "TRAILCOURIER_CONFIG": ""})

    assert found.sources["prod-eu"].buckets == ("acme-cloudtrail",)
    assert found.network.endpoint_url is None


def test_a_variable_of_a_secret_may_have_our_prefix(load):
    found = load(
        TRAILCOURIER_BROKER__URL="env:TRAILCOURIER_REDIS", TRAILCOURIER_REDIS=f"redis://:{HUNTER}@h"
    )

    assert found.broker_url() == f"redis://:{HUNTER}@h"
    assert HUNTER not in repr(found)


@pytest.mark.parametrize(
    "name",
    [
        "TRAILCOURIER_SERVICE_HOST",
        "TRAILCOURIER_SERVICE_PORT",
        "TRAILCOURIER_SERVICE_PORT_HTTP",
        "TRAILCOURIER_PORT",
        "TRAILCOURIER_PORT_6379_TCP",
        "TRAILCOURIER_VALKEY_PORT_6379_TCP_ADDR",
    ],
)
def test_variables_of_a_kubernetes_service_of_our_name_are_ignored(load, name):
    assert load(**{name: "tcp://127.0.0.1:1"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param(
            f"{PROD}QUEUE_ULR",
            HUNTER,
            f"{PROD}QUEUE_ULR: unknown key; did you mean {PROD}QUEUE_URL?",
            id="key-of-a-source",
        ),
        pytest.param(
            "TRAILCOURIER_SORCES__PROD__QUEUE_URL",
            HUNTER,
            "TRAILCOURIER_SORCES__PROD__QUEUE_URL: unknown variable; did you mean "
            "TRAILCOURIER_SOURCES__PROD__QUEUE_URL?",
            id="section",
        ),
        pytest.param(
            "TRAILCOURIER_LOGLEVEL",
            "debug",
            "TRAILCOURIER_LOGLEVEL: unknown variable; did you mean "
            "TRAILCOURIER_WORKERS__LOG_LEVEL?",
            id="no-section",
        ),
        pytest.param(
            "TRAILCOURIER_CONFG",
            HUNTER,
            "TRAILCOURIER_CONFG: unknown variable; did you mean TRAILCOURIER_CONFIG?",
            id="config",
        ),
        pytest.param(
            "TRAILCOURIER_ZZZZZZZZZ", "", "TRAILCOURIER_ZZZZZZZZZ: unknown variable", id="nothing"
        ),
        pytest.param(
            "TRAILCOURIER_SOURCES__PROD",
            "{}",
            "TRAILCOURIER_SOURCES__PROD: unknown variable",
            id="a-table-whole",
        ),
        pytest.param(
            "TRAILCOURIER_LINE", "{}", "TRAILCOURIER_LINE: unknown variable", id="a-section-whole"
        ),
        pytest.param(
            f"{PROD}CREDENTIALS__ROLE_ARN",
            HUNTER,
            f'{PROD}CREDENTIALS__ROLE_ARN: does not belong to kind "default"',
            id="value-in-a-table",
        ),
        pytest.param(
            f"{PROD}CREDENTIALS__EXTERNAL_ID",
            HUNTER,
            f"{PROD}CREDENTIALS__EXTERNAL_ID: expected a reference to a secret, not the secret",
            id="literal-secret",
        ),
        pytest.param(
            f"{PROD}CREDENTIALS",
            "{" + HUNTER,
            f"{PROD}CREDENTIALS: must be JSON for this key",
            id="json",
        ),
        pytest.param(
            f"{PROD}BUCKETS",
            "[" + HUNTER,
            f"{PROD}BUCKETS: must be a list: a,b or a JSON",
            id="list",
        ),
        pytest.param(
            "TRAILCOURIER_LINE__EXPERT__POLL",
            "x",
            "TRAILCOURIER_LINE__EXPERT__POLL: must be a valid integer",
            id="number",
        ),
        pytest.param(
            "TRAILCOURIER_LINE__POLL",
            "9",
            "TRAILCOURIER_LINE__POLL: moved to TRAILCOURIER_LINE__EXPERT__POLL",
            id="moved",
        ),
        pytest.param(
            "AWS_ENDPOINT_URL_S3",
            HUNTER,
            "AWS_ENDPOINT_URL_S3: must be a URL such as http://",
            id="endpoint",
        ),
        pytest.param(
            "HTTPS_PROXY",
            f"http://someone:{HUNTER}@proxy:port",
            "HTTPS_PROXY: must be a URL such as http://",
            id="port of a proxy",
        ),
        pytest.param(
            "http_proxy",
            "socks5://proxy:1080",
            "http_proxy: must be a URL such as http://",
            id="kind of a proxy",
        ),
        pytest.param(
            "AWS_CA_BUNDLE",
            "/no/such",
            "AWS_CA_BUNDLE: the file that it names does not",
            id="bundle",
        ),
    ],
)
def test_a_wrong_variable_is_named(problems, name, value, expected):
    (line,) = problems(**{name: value or "x"})

    assert line.startswith(expected)


def test_without_a_file_a_problem_names_the_environment(problems):
    Path("trailcourier.toml").unlink()

    found = problems(TRAILCOURIER_SOURCES__A__SINKS="out", TRAILCOURIER_SINKS__OUT__TYPE="stdout")

    assert found == ("environment: sources.a.queue_url: missing",)


def test_proxies_and_endpoints_are_read_from_the_usual_variables(load, tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")

    found = load(
        AWS_ENDPOINT_URL="http://127.0.0.1:5000",
        AWS_ENDPOINT_URL_SQS="http://127.0.0.1:5001",
        AWS_ENDPOINT_URL_S3="http://127.0.0.1:5002",
        HTTPS_PROXY="http://upper:1",
        https_proxy="http://lower:1",
        HTTP_PROXY="http://plain:1",
        NO_PROXY="127.0.0.1",
        AWS_CA_BUNDLE=str(bundle),
    ).network

    assert [found.endpoint(each) for each in ("sqs", "s3", "sts")] == [
        "http://127.0.0.1:5001",
        "http://127.0.0.1:5002",
        "http://127.0.0.1:5000",
    ]
    assert found.proxy("https://example.com/") == "http://lower:1"
    assert found.proxy("http://example.com/") == "http://plain:1"
    assert found.proxy("http://127.0.0.1:5000/") is None
    assert found.ca_bundle == bundle


def test_a_fail_point_is_set_by_the_environment_alone(load, problems):
    assert load(TRAILCOURIER_FAIL_POINT="at-claim@/x").fail_point == "at-claim@/x"

    Path("trailcourier.toml").write_text('fail_point = "x"\n' + FILE)
    assert problems() == ("trailcourier.toml: fail_point: unknown key",)


@pytest.mark.parametrize("name", [*environment.FOREIGN])
def test_variables_that_celery_would_obey_are_refused(load, problems, name):
    load(**{name: ""})

    (problem,) = problems(**{name: f"redis://:{HUNTER}@elsewhere/0"})

    assert problem.startswith(f"{name}: Celery would ")


def test_harmless_variables_of_celery_are_allowed(load):
    load(CELERY_WORKER_CONCURRENCY="3", NO_COLOR="1", APP="other")
