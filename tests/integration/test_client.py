"""A connection for each thread."""

import threading

import pytest

from trailcourier import broker


@pytest.fixture
def client(shared_broker):
    with broker.connect(shared_broker.url) as connected:
        yield connected


def of_a_thread(client):
    """The number of the connection of a new thread, which has ended when this returns."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(client.own.client_id()))
    thread.start()
    thread.join(10)
    return answers[0]


def test_a_thread_keeps_its_connection(client):
    first, second = client.own.client_id(), client.own.client_id()

    assert first == second


def test_threads_have_a_connection_each(client):
    ours, theirs = client.own.client_id(), of_a_thread(client)

    assert ours != theirs


def test_a_thread_that_ends_leaves_its_connection_to_others(client):
    left = of_a_thread(client)

    assert of_a_thread(client) == left


def test_a_connection_that_was_cut_is_made_anew(client):
    cut = client.own.client_id()
    client.client_kill_filter(_id=cut)

    assert client.own.client_id() != cut


def test_all_that_threads_keep_is_closed_with_the_client(shared_broker):
    with broker.connect(shared_broker.url) as client:
        kept = client.own.client_id()

    with broker.connect(shared_broker.url) as other:
        assert str(kept) not in {each["id"] for each in other.client_list()}
