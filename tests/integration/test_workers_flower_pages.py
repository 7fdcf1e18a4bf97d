"""What Flower shows of a fleet that carries: objects by their names, and no secret anywhere."""

import base64
import json
import re

import pytest

from tests.support import chromium, flower, programs, servers
from tests.support.announcements import BUCKET, own
from tests.support.fleet import SECRETS, until
from tests.support.watched import RECEIPT, file, key, watching
from trailcourier.ledger import broker


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A fleet that has carried 22 files, and refused a damaged one."""
    with (
        servers.valkey() as server,
        watching(tmp_path_factory.mktemp("fleet"), server.url) as watched,
    ):
        watched.carry(*range(22))
        watched.s3.put(BUCKET, key(99), b"this is no log file")
        watched.sqs.send("trail", own(key(99)))
        until(lambda: watched.rows("forward", "result:refused"))
        yield watched


def test_an_object_is_shown_by_its_source_and_its_name(watched):
    rows = {row["file"]: row for row in watched.rows("forward")}

    row = rows[file(7)]
    assert {file(at) for at in (*range(22), 99)} <= set(rows)
    assert (row["source"], row["result"], row["state"]) == ("prod", "delivered", "SUCCESS")
    assert (row["args"], row["kwargs"]) == (f"prod s3://{BUCKET}/{key(7)}", "")


def test_what_was_refused_is_shown_as_such_with_the_reason(watched):
    (row,) = watched.rows("forward", "result:refused")

    assert (row["result"], row["state"]) == ("refused: unparseable", "REFUSED")


def test_a_poll_and_a_settle_are_shown_by_their_source_and_what_came_of_them(watched):
    until(lambda: watched.rows("poll") and watched.rows("settle"))

    polls, settles = watched.rows("poll"), watched.rows("settle")
    assert {row["source"] for row in [*polls, *settles]} == {"prod"}
    assert {row["kwargs"] for row in [*polls, *settles]} == {""}
    assert {row["args"] for row in polls} == {"prod"}
    assert all(re.fullmatch(r"prod(, \d+ messages?)?", row["args"]) for row in settles)
    assert all(re.fullmatch(r"[1-9]\d* messages?", row["result"]) for row in [*polls, *settles])


def test_what_came_to_nothing_is_not_shown(watched):
    def ended(task):
        worker = watched.page.api("workers?refresh=1")["control@host"]
        return worker["stats"]["total"].get(f"trailcourier.{task}", 0)

    until(lambda: ended("poll") >= len(watched.rows("poll")) + 4 and ended("maintenance") >= 3)

    assert watched.rows("maintenance") == []


def test_one_task_is_shown_without_what_is_noise_to_a_person(watched):
    (row,) = watched.page.rows(file(7))

    status, text = watched.page.ask(f"/task/{row['uuid']}")

    assert status == 200
    assert re.findall(r"<dt>(.*?)</dt>", text) == [
        "Name", "UUID", "Status", "Arguments", "Keyword arguments", "Result", "Source", "Object",
        "File", "Received", "Started", "Succeeded", "Worker", "Runtime", "Parent id",
    ]  # fmt: skip
    (parent,) = re.findall(r"Parent id</dt>.*?([0-9a-f]{8}-[0-9a-f-]{27})", text, re.DOTALL)
    until(lambda: parent in {poll["uuid"] for poll in watched.rows("poll")})


def held(client, name):
    """What *name* holds in the broker."""
    match client.type(name):
        case b"hash":
            return client.hgetall(name)
        case b"list":
            return client.lrange(name, 0, -1)
        case b"set":
            return client.smembers(name)
        case b"zset":
            return client.zrange(name, 0, -1)
        case _:
            return client.get(name)


def opened(text):
    """*text*, and what it holds in base64, as the bodies of task messages are."""
    found = re.findall(r"(?:[A-Za-z0-9+/]{4}){10,}", text)
    return text + "".join(base64.b64decode(each).decode(errors="replace") for each in found)


def test_no_secret_and_no_receipt_is_on_any_page_or_in_any_answer(watched):
    url = watched.fleet.environment["FLEET_BROKER"]
    secrets = [url.split(":")[2].split("@")[0], *flower.LOGIN.split(":")[1:], *SECRETS.values()]

    with watched.holding(50), broker.connect(url) as client:
        pages = watched.page.pages()
        kept = {name: opened(str(held(client, name))) for name in client.scan_iter()}

    celery = {name: text for name, text in kept.items() if b":celery:" in name}
    assert f"prod s3://{BUCKET}/{key(50)}" in pages["/worker/objects@host"]
    assert any(RECEIPT in text for text in kept.values())  # so it is known when it is seen
    assert len(pages) > 60
    assert [
        (secret, where)
        for secret in [*secrets, RECEIPT]
        for where, text in [*pages.items(), *celery.items()]
        if secret in text
    ] == []


def test_one_file_is_found_by_its_name_in_a_browser(watched, tmp_path):
    with chromium.page(programs.found("chromium", "chromium"), tmp_path / "profile") as page:
        page.open(watched.page.url.replace("://", f"://{flower.LOGIN}@"))
        page.until("document.querySelector('#workers-online').innerText == '2'")
        page.open(f"{watched.page.url}/tasks")
        page.until("document.querySelectorAll('#tasks-table tbody tr').length > 10")

        page.ask(f"$('#tasks-table').DataTable().search({json.dumps(file(7))}).draw()")

        page.until("document.querySelectorAll('#tasks-table tbody tr').length == 1")
        shown = page.ask("document.querySelector('#tasks-table tbody').innerText").split("\t")
        assert shown[:5] == ["trailcourier.forward", "prod", file(7), "delivered", "SUCCESS"]
        assert page.wrong == []
