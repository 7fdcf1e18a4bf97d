"""The ways to reach a broker: TLS with a CA of one's own, and a Unix socket; and no other one."""

import os

import pytest
from celery import chord

from tests.support.fleet import Fleet, until
from tests.support.relay import relay
from tests.support.tls import authority
from trailcourier.host import child_process, embedded_broker


def chord_of_one(fleet):
    app, folder = fleet.app, str(fleet.folder)
    header = app.signature("trial.hold", (folder, 0), queue="objects")
    chord([header], app=app)(app.signature("trial.done", (folder,), queue="objects"))
    until((fleet.folder / "done").exists, what=lambda: fleet.started[0].output)


@pytest.fixture
def tls(shared_broker, tmp_path):
    """The broker's URL through TLS; the CA is beside it."""
    _, context = authority(tmp_path)
    plain = shared_broker.url
    port = plain.rsplit(":", 1)[1].split("/")[0]
    with relay(int(port), context=context) as between:
        yield plain.replace("redis://", "rediss://").replace(port, str(between.port))


def test_a_chord_through_tls(fleet, tls):
    config = fleet.config.read_text()
    trusted = f'ca_file = "{fleet.folder}/ca.pem"'
    fleet.config.write_text(config.replace("[broker]", f"[broker]\n{trusted}"))
    fleet.worker("-Q", "objects", "-I", "tests.integration.trial", FLEET_BROKER=tls)

    chord_of_one(fleet)


def test_a_broker_whose_certificate_is_of_another_authority_is_not_spoken_to(fleet, tls):
    worker = fleet.celery("-A", "tasks", "worker", "-Q", "objects", FLEET_BROKER=tls)

    worker.until("certificate verify failed").until("Trying again in")
    assert "Traceback" not in worker.output


@pytest.fixture
def by_socket(tmp_path):
    """The URL of a broker that listens on nothing but a socket."""
    _, binary = embedded_broker._find_server()
    path = tmp_path / "socket"
    process = child_process.start([binary, "--port", "0", "--unixsocket", str(path), "--save", ""])
    until(path.exists)
    yield f"unix://{path}?db=1"
    child_process.kill(process)


def test_a_chord_through_a_socket(tmp_path, by_socket):
    as_kombu_has_it = by_socket.replace("unix:", "redis+socket:").replace("db=", "virtual_host=")
    fleet = Fleet(tmp_path, as_kombu_has_it)
    fleet.app.conf.result_backend = fleet.app.conf.result_backend.replace("redis+socket", "socket")
    fleet.worker("-Q", "objects", "-I", "tests.integration.trial", FLEET_BROKER=by_socket)

    chord_of_one(fleet)

    fleet.close()


ELSEWHERE = "redis://:hunter2@127.0.0.1:1/0"


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        ("-A tasks worker", "CELERY_BROKER_URL"),
        ("-A tasks worker", "BROKER_URL"),
        ("-A tasks worker", "CELERY_CONFIG_MODULE"),
        ("-A beat beat", "CELERY_BROKER_WRITE_URL"),
        ("-A tasks flower", "CELERY_BROKER_READ_URL"),
        ("-A tasks inspect ping", "CELERY_RESULT_BACKEND"),
    ],
)
def test_a_broker_that_the_environment_names_is_refused(fleet, command, variable):
    started = fleet.celery(*command.split(), **{variable: ELSEWHERE})

    assert started.wait() == os.EX_CONFIG
    assert f"trailcourier: {variable}: Celery would" in started.output
    assert "hunter2" not in started.output
    assert "Traceback" not in started.output


def test_a_broker_of_the_command_line_is_refused(fleet):
    started = fleet.celery("-A", "tasks", "-b", ELSEWHERE, "worker")

    assert started.wait() == os.EX_CONFIG
    assert "pass neither -b nor --result-backend" in started.output
    assert "hunter2" not in started.output
