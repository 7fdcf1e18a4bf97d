"""docker-compose.yml and the Dockerfile as they are written; test_containers.py runs them."""

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.programs import found
from trailcourier import settings
from trailcourier.demo import aws
from trailcourier.demo.traffic import BUCKETS
from trailcourier.host.specs import process_specs

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
WORKERS = {each.role: each for each in process_specs(processes=1)}

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


@each_service
def test_a_service_may_no_more_than_it_must(service):
    user, group = map(int, service["user"].split(":"))

    assert min(user, group) > 0
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & service.keys()
    assert not [each for each in service.get("volumes", []) if "docker.sock" in str(each)]


@each_service
def test_a_service_is_watched_bounded_and_given_time_to_stop(service):
    assert service["healthcheck"].keys() >= {"test", "interval", "timeout", "start_period"}
    assert service.keys() >= {"mem_limit", "cpus", "pids_limit", "ulimits", "restart"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert int(service["stop_grace_period"].removesuffix("s")) >= max(
        each.grace for each in WORKERS.values()
    )
    assert service["init"]


@each_service
def test_a_service_can_be_scaled_and_is_reached_on_the_loopback_alone(service):
    ports = service.get("ports", [])

    assert "container_name" not in service
    assert all(port.startswith("127.0.0.1:") for port in ports)


@each_service
def test_secrets_are_files_and_no_service_has_one_it_does_not_name(service):
    text = yaml.safe_dump([service.get("environment"), service["command"]])
    given = set(service.get("secrets", []))

    assert given <= COMPOSE["secrets"].keys()
    named = set(re.findall(r"/run/secrets/([\w.-]+)", text)) - {"aws-credentials"}
    assert named <= given
    assert not re.search(r"(?i)(password|secret|token|key)\w*: *[^/\s]", text)


@pytest.mark.parametrize("role", WORKERS)
def test_a_worker_is_started_as_run_starts_it(role):
    argv = list(WORKERS[role].argv)
    expected = argv[argv.index("-q") :]
    if "-n" in expected:  # a container has a host name of its own
        expected = expected[: expected.index("-n")]

    assert SERVICES[role]["command"] == ["celery", *expected]


def test_redis_loses_nothing_by_itself_and_reads_its_password_from_a_file():
    first, config, *options = SERVICES["redis"]["command"]
    redis_options = dict(zip(options[::2], options[1::2], strict=True))

    assert (first, config) == ("redis-server", "/run/secrets/redis.conf")
    assert redis_options["--appendonly"] == "yes"
    assert redis_options["--maxmemory-policy"] == "noeviction"
    assert redis_options["--save"] == ""
    assert COMPOSE["networks"]["broker"] == {"internal": True}
    assert SERVICES["redis"]["networks"] == ["broker"]


def test_the_image_asks_for_its_health_as_compose_does():
    (command,) = re.findall(r"HEALTHCHECK .* CMD (\[.*\])", DOCKERFILE)

    assert yaml.safe_load(command) == SERVICES["objects"]["healthcheck"]["test"][1:]


def test_the_image_holds_what_the_lock_names_and_runs_as_nobody():
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    installs = re.findall(r"pip install (.*)", DOCKERFILE)

    assert installs == [
        "--no-deps --require-hashes -r requirements/${LOCK}.txt",
        "--no-deps --no-build-isolation .",
    ]
    assert "\nUSER 10001:10001\n" in last
    assert "pip" not in last


def test_the_image_is_built_from_what_is_let_in():
    (let_in,) = [(ROOT / ".dockerignore").read_text().split("\n*\n")[1]]
    copied = re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", DOCKERFILE)
    sources = [each.partition("/")[0] for line in copied for each in line.split()]

    assert sources
    for source in sources:
        assert re.search(rf"(?m)^!{re.escape(source)}(/|$)", let_in), source


@pytest.mark.parametrize("name", ["docker-compose.yml", "deploy/Dockerfile"])
def test_no_registry_is_named(name):
    text = re.sub(r"(?m)#.*", "", (ROOT / name).read_text())

    assert not re.search(r"\b[\w-]+(\.[\w-]+)*\.(io|com|org|net|dev)/", text)


def configured(name, tmp_path, **environment):
    """The configuration *name* as a container has it."""
    secret = tmp_path / "broker-url"
    secret.write_text("redis://:password@redis:6379/0\n")
    variables = {"TRAILCOURIER_BROKER__URL": f"file:{secret}", **environment}
    return settings.load(ROOT / "deploy/compose" / name, variables)


def test_the_demo_reads_what_its_emulated_aws_serves(tmp_path):
    variables = dict(
        line.split("=", 1)
        for line in (ROOT / "deploy/compose/demo.env").read_text().splitlines()
        if not line.startswith("#")
    )
    found = configured("demo.toml", tmp_path, AWS_ENDPOINT_URL=variables["AWS_ENDPOINT_URL"])

    queue = found.sources["demo"].queue
    assert (queue.name, queue.region) == (aws.QUEUE, aws.REGION)
    assert queue.endpoint == found.network.endpoint("s3") == "http://aws:5000"
    assert set(found.sources["demo"].buckets) == set(BUCKETS)
    assert "0.0.0.0:5000" in SERVICES["aws"]["command"]
    assert all((ROOT / variables[name]).is_file() for name in ("CONFIG", "AWS_CREDENTIALS"))


@pytest.mark.parametrize("name", ["demo.toml", "trailcourier.toml"])
def test_a_configuration_for_containers_loads_and_delivers_into_the_volume(tmp_path, name):
    found = configured(name, tmp_path)

    assert found.warnings() == []
    assert f"events:{found.sinks['archive'].path}" in SERVICES["objects"]["volumes"]


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "deploy/compose").mkdir(parents=True)
    shutil.copy(ROOT / "deploy/compose/secrets.sh", tmp_path / "deploy/compose")
    return tmp_path


def make_secrets(checkout):
    subprocess.run([checkout / "deploy/compose/secrets.sh"], check=True, timeout=10)
    return {path.name: path.read_text() for path in (checkout / "secrets").iterdir()}


def test_secrets_are_made_once_for_all_that_compose_names(checkout):
    made = make_secrets(checkout)

    assert made.keys() == COMPOSE["secrets"].keys()
    password = made["redis.conf"].removeprefix("requirepass ").strip()
    assert len(password) == 32
    assert made["broker-url"] == f"redis://:{password}@redis:6379/0\n"
    assert re.fullmatch(r"admin:[\w-]{32}\n", made["flower"])
    assert make_secrets(checkout) == made


def test_secrets_are_read_by_a_container_and_by_no_other_user_of_the_host(checkout):
    make_secrets(checkout)

    folder = checkout / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}


@pytest.mark.parametrize("options", [[], ["--env-file", "deploy/compose/demo.env"]])
def test_docker_compose_understands_it(options):
    subprocess.run(
        [found("docker-compose", "docker-compose"), *options, "config", "-q"],
        cwd=ROOT, check=True, timeout=60,
    )  # fmt: skip
