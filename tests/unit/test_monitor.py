"""The page for who watches: metrics and health over real HTTP."""

import json
import socket
import threading

import pytest
import urllib3
from prometheus_client import CollectorRegistry, Counter

from trailcourier import monitor, observe


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
    served = monitor.serve(
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
def test_health_is_a_status_and_a_word(ask, health, path, what):
    assert (ask(path).status, ask(path).data) == (200, b"well\n")

    setattr(health, what, "stopping")

    assert (ask(path).status, ask(path).data) == (503, b"stopping\n")


def test_who_is_not_ready_may_be_well(ask, health):
    health.unready = "not connected to the broker"

    assert ask("/livez").status == 200


def test_another_path_is_told_what_there_is(ask):
    answer = ask("/healthz")

    assert answer.status == 404
    assert b"/livez" in answer.data


def test_nothing_can_be_sent_to_it(ask):
    assert ask("/metrics", "POST").status == 405


def test_a_client_that_says_nothing_keeps_nobody_else_waiting(page, ask):
    with socket.create_connection(("127.0.0.1", page.port)):
        assert ask("/livez").status == 200


def test_a_port_that_is_taken_is_said_and_survived(page, capsys):
    observe.configure("json", "info")

    second = monitor.serve("127.0.0.1", page.port, CollectorRegistry(), trouble=str, unready=str)

    assert second is None
    said = json.loads(capsys.readouterr().err)
    assert said["event"] == "not_watchable"
    assert said["address"] == f"127.0.0.1:{page.port}"


def test_a_page_that_is_closed_leaves_no_thread(health):
    for each in threading.enumerate():  # requests of earlier tests
        if "process_request_thread" in each.name:
            each.join(10)
    before = set(threading.enumerate())
    served = monitor.serve("::1", 0, CollectorRegistry(), trouble=str, unready=str)

    served.close()

    assert set(threading.enumerate()) == before
