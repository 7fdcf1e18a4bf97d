import json

import pytest

from tests.support import http_stub, line_stub
from tests.support.peers import unused_port

CONFIG = """
[sources.prod]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
sinks = ["archive"]
[sinks.archive]
type = "file"
path = "{path}"
[sinks.console]
type = "stdout"
[sinks.siem]
type = "insightidr"
way = "collector"
host = "127.0.0.1"
port = {port}
tls = false
retry_attempts = 1
"""

HOOK = """
[sources.prod]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
sinks = ["hook"]
[sinks.hook]
type = "insightidr"
way = "webhook"
url = "file:{url}"
"""


@pytest.fixture
def test(call, tmp_path):
    """``sink test`` without a broker, and without AWS."""

    def test(name, path="events", port=1):
        return call("sink", "test", name, configuration=CONFIG.format(path=path, port=port))

    return test


def written(folder):
    (file,) = [path for path in folder.rglob("*.ndjson") if path.is_file()]
    return json.loads(file.read_text())


def test_a_file_sink_gets_one_marked_record(test, tmp_path, sqs):
    result = test("archive")

    record = written(tmp_path / "events")
    id_ = record["eventID"]
    text = f"Sink archive accepted the record with eventID {id_}; look for it there.\n"
    assert result == (0, "", text)
    assert record["eventSource"] == "sink-test.trailcourier"
    assert record["eventName"] == "TrailcourierSinkTest"
    assert sqs.log() == []


def test_a_stdout_sink_writes_one_line(test):
    result = test("console")

    assert result.code == 0
    assert json.loads(result.out)["eventID"] in result.err
    assert result.out.count("\n") == 1


def test_a_network_sink_gets_one_marked_record(test):
    with line_stub.Server() as server:
        result = test("siem", port=server.port)

    (line,) = server.whole
    assert result.code == 0
    assert json.loads(line)["eventID"] in result.err


def test_an_unreachable_sink_is_69_and_one_line(test):
    port = unused_port()

    assert test("siem", port=port) == (
        69,
        "",
        f"trailcourier: sink siem: 127.0.0.1:{port}: Connection refused (sink-unreachable)\n",
    )


def test_a_sink_that_rejects_the_record_is_69_with_its_answer(call, tmp_path):
    with http_stub.Server(lambda _: http_stub.Reply(400, b"no such event")) as server:
        (tmp_path / "url").write_text(f"{server.url}/a-token-of-a-log")
        result = call("sink", "test", "hook", configuration=HOOK.format(url=tmp_path / "url"))

    assert result == (
        69,
        "",
        (
            f"trailcourier: sink hook: it rejected the only request: {server.url}: it answered 400 "
            'instead of 204: "no such event" (sink-rejects-all)\n'
        ),
    )


def test_every_test_sends_a_new_record(test):
    first, second = test("console"), test("console")

    assert json.loads(first.out)["eventID"] != json.loads(second.out)["eventID"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param(
            "no/such/folder", "No such file or directory; create the parent folder", id="missing"
        ),
        pytest.param("/proc/version", "something that is not a folder has that name", id="a-file"),
        pytest.param("/proc/of-nobody", "cannot write to /proc/of-nobody: ", id="may-not-be-made"),
    ],
)
def test_a_file_sink_that_cannot_write_is_69_and_one_line(test, path, words):
    result = test("archive", path)

    assert (result.code, result.out) == (69, "")
    assert result.err.startswith("trailcourier: sink archive: cannot write to ")
    assert words in result.err
    assert result.err.count("\n") == 1


def test_a_folder_that_others_may_write_to_is_69_with_what_to_do(test, tmp_path):
    (tmp_path / "events").mkdir()
    (tmp_path / "events").chmod(0o777)

    result = test("archive")

    assert (result.code, result.out) == (69, "")
    assert result.err == (
        f"trailcourier: sink archive: {tmp_path}/events may be written to by everybody; `chmod "
        f"go-w {tmp_path}/events`, or set `trust_path = true` of the sink (sink-untrusted)\n"
    )


def test_a_failed_test_leaves_nothing_in_the_folder(test, tmp_path):
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "sink-test").write_text("in the way")

    result = test("archive")

    assert result.code == 69
    assert [path.name for path in (tmp_path / "events").rglob("*") if path.is_file()] == [
        "sink-test"
    ]


def test_an_unknown_sink_is_an_error_that_lists_the_known_ones(test):
    result = test("seim")

    assert result == (
        78, "", "trailcourier: there is no sink 'seim'; configured: archive, console, siem\n",
    )  # fmt: skip
