"""A foreign answer is a fault of the connection, for every call and every protocol."""

import functools
import json

import pytest

from tests.support.aws_answers import Recording, s3_error, session, sqs_error
from tests.support.http_stub import Reply
from trailcourier.aws import clients, faults
from trailcourier.aws.network import Network
from trailcourier.aws.responses import ForeignAnswer

PAGE = b"<!DOCTYPE html>\n<html><head><title>Log in to the guest network</title></head></html>"
XHTML = b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>'
HTML = (("Content-Type", "text/html; charset=utf-8"),)
SIGNED = (("x-amzn-RequestId", "EXAMPLE"),)
URL = "http://127.0.0.1/111122223333/trail"
ROLE = "arn:aws:iam::111122223333:role/trailcourier"
ENTRY = {"Id": "0", "ReceiptHandle": "r"}

CALLS = [
    ("sqs", "receive_message", {"QueueUrl": URL}),
    ("sqs", "delete_message", {"QueueUrl": URL, "ReceiptHandle": "r"}),
    ("sqs", "delete_message_batch", {"QueueUrl": URL, "Entries": [ENTRY]}),
    (
        "sqs",
        "change_message_visibility_batch",
        {"QueueUrl": URL, "Entries": [{**ENTRY, "VisibilityTimeout": 1}]},
    ),
    ("sqs", "get_queue_attributes", {"QueueUrl": URL, "AttributeNames": ["All"]}),
    ("sqs", "get_queue_url", {"QueueName": "trail"}),
    ("sqs", "set_queue_attributes", {"QueueUrl": URL, "Attributes": {}}),
    ("s3", "get_object", {"Bucket": "acme-trail", "Key": "k"}),
    ("s3", "list_objects_v2", {"Bucket": "acme-trail"}),
    ("s3", "get_bucket_location", {"Bucket": "acme-trail"}),
    ("s3", "get_bucket_policy", {"Bucket": "acme-trail"}),
    ("s3", "put_bucket_policy", {"Bucket": "acme-trail", "Policy": "{}"}),
    ("s3", "put_object", {"Bucket": "acme-trail", "Key": "k", "Body": b"x"}),
    ("sts", "get_caller_identity", {}),
    (
        "sts",
        "assume_role",
        {"RoleArn": "arn:aws:iam::111122223333:role/x", "RoleSessionName": "xy"},
    ),
    ("sns", "subscribe", {"TopicArn": "arn:aws:sns:eu-west-1:111122223333:t", "Protocol": "sqs"}),
    ("iam", "put_role_policy", {"RoleName": "r", "PolicyName": "p", "PolicyDocument": "{}"}),
    ("cloudtrail", "describe_trails", {}),
    ("cloudwatch", "list_metrics", {}),
    ("kms", "describe_key", {"KeyId": "k"}),
    ("events", "list_rules", {}),
]
HEADS = [
    ("s3", "head_object", {"Bucket": "acme-trail", "Key": "k"}),
    ("s3", "head_bucket", {"Bucket": "acme-trail"}),
]


def name(call):
    return f"{call[0]}.{call[1]}"


@functools.cache
def asking():
    """One session for all tests: only the first client of a service loads its models."""
    return session()


def ask(call, answer):
    """Return the result of one call, and its requests."""
    service, operation, given = call
    with Recording(lambda request: answer) as server:
        client = clients.make_client(
            asking(), service, "eu-west-1", network=Network(endpoint_url=server.url)
        )
        try:
            return getattr(client, operation)(**given), server
        except faults.AWS_ERRORS as error:
            return error, server


def assert_foreign(found, server, *seen):
    assert isinstance(found, ForeignAnswer), found
    fault = faults.to_fault(found, what="it", where="queue")
    assert fault.reason == "not-aws"
    host = server.url.removeprefix("http://")
    for each in (host, *seen):
        assert each in fault.detail


@pytest.mark.parametrize(
    ("call", "status"),
    [(call, 200) for call in CALLS]
    + [(CALLS[at], status) for at in (0, 7, 9, 13, 17) for status in (403, 404)],
    ids=lambda part: name(part) if isinstance(part, tuple) else str(part),
)
def test_a_web_page_is_a_foreign_answer(call, status):
    found, server = ask(call, Reply(status, PAGE, HTML))

    assert_foreign(found, server, str(status), "text/html", "<!DOCTYPE html>\\n<html>")


def test_the_page_of_a_portal_is_not_an_empty_receive():
    found, server = ask(CALLS[0], Reply(200, PAGE, HTML))

    assert_foreign(found, server)


@pytest.mark.parametrize("call", CALLS, ids=name)
def test_a_valid_xml_page_without_content_type_is_a_foreign_answer(call):
    found, server = ask(call, Reply(200, XHTML))

    assert_foreign(found, server, "<html xmlns")


@pytest.mark.parametrize("status", [200, 403, 404])
@pytest.mark.parametrize("call", HEADS, ids=name)
def test_a_page_in_response_to_head_is_a_foreign_answer(call, status):
    found, server = ask(call, Reply(status, b"", HTML, length=500))

    assert_foreign(found, server, str(status))


@pytest.mark.parametrize("call", CALLS + HEADS, ids=name)
def test_a_redirect_to_a_portal_is_a_foreign_answer(call):
    portal = ("Location", "https://user:secret@portal.example/login?from=here")

    found, server = ask(call, Reply(302, b"", (portal,)))

    assert_foreign(found, server, "302", "portal.example")
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200),
        Reply(200, b'{"error": "log in first"}'),
        Reply(200, b"[]"),
        Reply(200, b'"fine"'),
        Reply(200, b'{"Messages": [{"MessageId": "m"'),
        Reply(200, b'{"Messages": "none"}'),
        Reply(200, b'{"Messages": {"a": 1}}', SIGNED),
        Reply(200, b"OK", (("Content-Type", "text/plain"),)),
        Reply(200, b"\xff\xfe\x00", SIGNED),
        Reply(403, b"Forbidden by policy", (("Content-Type", "text/plain"),)),
        Reply(403, b'{"message": "Forbidden"}', (("Content-Type", "application/json"),)),
        Reply(404, b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>"),
    ],
    ids=repr,
)
def test_a_response_without_the_form_of_sqs_is_a_foreign_answer(answer):
    found, server = ask(CALLS[0], answer)

    assert_foreign(found, server)


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, b"log", (("Content-Type", "text/plain"),)),
        Reply(200, b"", (("Content-Type", "text/plain"),)),
        Reply(403, b"Forbidden by policy", (("Content-Type", "text/plain"),)),
        Reply(404, b'{"error": "no such route"}', (("Content-Type", "application/json"),)),
    ],
    ids=repr,
)
def test_a_response_without_the_form_of_s3_is_a_foreign_answer(answer):
    found, server = ask(CALLS[7], answer)

    assert_foreign(found, server)


def test_a_foreign_answer_is_quoted_escaped_and_shortened():
    page = b"<html>\x1b[31m\r\n\xe2\x80\xa8" + b"x" * 10_000

    found, _ = ask(CALLS[0], Reply(200, page, HTML))

    assert "\\x1b[31m\\r\\n\\u2028" in str(found)
    assert str(found).isprintable()
    assert len(str(found)) < 400


# What is AWS's, or imitates it well enough


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (CALLS[0], Reply(200, b"{}")),  # ElasticMQ has no request id
        (CALLS[0], Reply(200, b'{"Messages": []}', (("Content-Type", "application/json"),))),
        (CALLS[0], Reply(200, b'{"New": 1}', SIGNED)),
        (CALLS[0], Reply(200, b"", SIGNED)),
        (CALLS[1], Reply(200, b"")),
        (CALLS[1], Reply(200, b"{}")),
        (CALLS[1], Reply(200, b"null", (*HTML, *SIGNED))),  # moto
        (CALLS[11], Reply(200, b"True", SIGNED)),  # moto
        (CALLS[12], Reply(200, b"", (*HTML, *SIGNED))),  # moto
        (CALLS[17], Reply(200, b'{"trailList": []}', (*HTML, *SIGNED))),  # moto
        (CALLS[10], Reply(200, b'{"Version": "2012-10-17"}')),
        (CALLS[7], Reply(200, PAGE, (*HTML, ("x-amz-request-id", "E")))),  # an object like any
        (HEADS[0], Reply(200, b"", (*HTML, ("x-amz-request-id", "E")), length=9)),
        (HEADS[1], Reply(200, b"")),
    ],
    ids=repr,
)
def test_responses_of_aws_and_its_emulators_are_parsed(call, answer):
    found, _ = ask(call, answer)

    assert isinstance(found, dict), found


def test_a_receive_is_parsed_unchanged():
    body = json.dumps({"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": "\ud83d"}]})

    found, _ = ask(CALLS[0], Reply(200, body.encode()))

    assert found["Messages"][0]["Body"] == "\ud83d"


@pytest.mark.parametrize(
    ("call", "answer", "code"),
    [
        (CALLS[0], sqs_error(403, "", "AccessDeniedException"), "AccessDeniedException"),
        (CALLS[7], s3_error(404, "NoSuchKey"), "NoSuchKey"),
        (HEADS[0], Reply(404, b""), "404"),
        (HEADS[1], Reply(404, b"", (*HTML, *SIGNED), length=9), "404"),  # moto
        (CALLS[7], Reply(403, b""), "403"),
        (CALLS[13], Reply(403, b"<ErrorResponse><Error><Code>X</Code></Error></ErrorResponse>"),
         "X"),
    ],
    ids=repr,
)  # fmt: skip
def test_errors_of_aws_keep_their_codes(call, answer, code):
    found, _ = ask(call, answer)

    assert not isinstance(found, ForeignAnswer), found
    assert code in faults.codes(found)


@pytest.mark.parametrize("call", CALLS + HEADS, ids=name)
def test_a_gateways_error_page_is_retried_and_quoted(call):
    found, server = ask(call, Reply(503, PAGE.replace(b"Log in", b"Be patient"), HTML))

    assert len(server.requests) == 3
    assert "503" in faults.codes(found)
    if call not in HEADS:
        assert "Be patient" in str(found)


def test_clients_of_the_default_chain_reject_foreign_answers(monkeypatch, tmp_path):
    token = tmp_path / "token"
    token.write_text("a.b.c")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    from trailcourier.aws.credentials import Credentials

    with Recording(lambda request: Reply(200, PAGE, HTML)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        with pytest.raises(ForeignAnswer, match="guest network"):
            session(Credentials()).get_credentials().get_frozen_credentials()
