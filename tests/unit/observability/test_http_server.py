"""Metrics and health pages over real HTTP."""

import json
import socket
import threading

import pytest
import urllib3
from prometheus_client import CollectorRegistry, Counter

from trailcourier.observability import http_server, log


class Health:
    trouble = ""
    unready = ""


@pytest.fixture
def health():
    return Health()


@pytest.fixture
def page(health):
    registry = CollectorRegistry()
    Counter("carried", "What was carried.", registry=registry).inc(3)
    served = http_server.serve(
        "127.0.0.1", 0, registry, trouble=lambda: health.trouble, unready=lambda: health.unready
    )
    yield served
    served.close()


@pytest.fixture
def ask(page):
    with urllib3.PoolManager(retries=False, timeout=10) as http:
        yield lambda path, method="GET": http.request(method, f"http://127.0.0.1:{page.port}{path}")


def test_metrics_are_in_the_format_of_prometheus(ask):
    answer = ask("/metrics")

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert b"carried_total 3.0\n" in answer.data


@pytest.mark.parametrize(("path", "what"), [("/livez", "trouble"), ("/readyz", "unready")])
def test_health_is_a_status_code_and_a_reason(ask, health, path, what):
    assert (ask(path).status, ask(path).data) == (200, b"well\n")

    setattr(health, what, "stopping")

    assert (ask(path).status, ask(path).data) == (503, b"stopping\n")


def test_a_process_that_is_not_ready_can_be_live(ask, health):
    health.unready = "not connected to the broker"

    assert ask("/livez").status == 200


def test_an_unknown_path_lists_the_pages(ask):
    answer = ask("/healthz")

    assert answer.status == 404
    assert b"/livez" in answer.data


def test_other_methods_are_refused(ask):
    assert ask("/metrics", "POST").status == 405


def test_a_silent_client_blocks_no_other(page, ask):
    with socket.create_connection(("127.0.0.1", page.port)):
        assert ask("/livez").status == 200


def test_a_taken_port_is_logged_and_raises_nothing(page, capsys):
    log.configure("json", "info")

    second = http_server.serve(
        "127.0.0.1", page.port, CollectorRegistry(), trouble=str, unready=str
    )

    assert second is None
    output = json.loads(capsys.readouterr().err)
    assert output["event"] == "not_watchable"
    assert output["address"] == f"127.0.0.1:{page.port}"


def test_a_closed_server_leaves_no_thread(health):
    for each in threading.enumerate():  # requests of earlier tests
        if "process_request_thread" in each.name:
            each.join(10)
    before = set(threading.enumerate())
    served = http_server.serve("::1", 0, CollectorRegistry(), trouble=str, unready=str)

    served.close()

    assert set(threading.enumerate()) == before
