"""``trailcourier setup`` as a person runs it, on moto behind the gate."""

import io
import json
import os
import secrets
import shlex
import stat
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import boto3
import pytest
import urllib3

from trailcourier import cli, settings
from trailcourier.aws import clients, sessions
from trailcourier.aws.network import Network
from trailcourier.cli.exits import Exit
from trailcourier.cli.setup import new_key, proof

ACCOUNT = "123456789012"


WITH_KEYS = """
[sources.old]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/q"
buckets = ["old"]
sinks = ["archive"]
[sources.old.credentials]
kind = "iam-user"
access_key_id = "env:OLD_KEY"
secret_access_key = "env:OLD_KEY"
[sinks.archive]
type = "file"
path = "events"
"""


class Output(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def name():
    return f"t{secrets.token_hex(4)}"


@pytest.fixture
def environment(gate, moto, tmp_path, monkeypatch):
    urllib3.request("POST", f"{moto}/moto-api/reset", timeout=60)  # one account, no trail yet
    monkeypatch.chdir(tmp_path)
    for variable, value in {
        "AWS_ENDPOINT_URL": gate.url,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "example",
        "XDG_STATE_HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(variable, value)
    # test_proof.py has doctor run; it would take seconds in each test here
    monkeypatch.setattr(proof, "examine", lambda *_, **__: proof.Proof())


@pytest.fixture
def call(environment, name, capsys):
    def called(verb, *options):
        capsys.readouterr()
        code = cli.execute(["setup", verb, "--name", name, *options])
        return Output(code, *capsys.readouterr())

    return called


@pytest.fixture
def apply(call):
    def called(*options):
        return call("apply", "--wait", "0", *options)

    return called


def loaded():
    return settings.load(Path("trailcourier.toml"), os.environ)


def test_one_command_creates_writes_validates_and_receives(apply, name):
    output = apply("--write", "trailcourier.toml", "--secret-file", "secret")

    assert output.code == Exit.DONE, output.err
    lines = output.out.splitlines()
    assert lines[0].startswith(f"account {ACCOUNT}, us-east-1, partition aws, as arn:aws:sts::")
    assert "configuration: written to trailcourier.toml" in lines
    assert "valid: the configuration has no errors" in lines
    assert "its secret is in secret, its id in secret.id; only you can read them" in output.out
    assert any(line.startswith("ready: the queue can be received from and is") for line in lines)
    assert lines[-2:] == ["18 created", "next: trailcourier run"]


def test_the_source_names_queue_region_bucket_and_credential(apply, name):
    apply("--write", "trailcourier.toml", "--secret-file", "secret")

    source = loaded().sources["prod"]
    assert source.queue.name == name
    assert source.queue.region == "us-east-1"
    assert source.bucket_region == "us-east-1"
    assert source.buckets == (f"{name}-{ACCOUNT}-us-east-1",)
    assert source.expected_bucket_owner == ACCOUNT
    assert source.credentials.kind == "iam-user"
    assert source.credentials.secret_access_key.reveal() == Path("secret").read_text().strip()
    assert source.credentials.access_key_id.reveal() == Path("secret.id").read_text().strip()


def test_the_secret_is_only_in_its_file_and_readable_by_its_owner_only(apply):
    output = apply("--write", "trailcourier.toml", "--secret-file", "secret", "--json")

    secret = Path("secret").read_text().strip()
    assert len(secret) >= 40
    assert stat.S_IMODE(Path("secret").stat().st_mode) == 0o600
    assert secret not in output.out + output.err + Path("trailcourier.toml").read_text()
    assert output.json["written"] == "written to trailcourier.toml"
    assert output.json["live"]["good"] is True


def test_without_a_terminal_or_a_file_nothing_is_created(apply, gate):
    output = apply()

    assert (output.code, gate.changes) == (Exit.CONFIG, [])
    assert "needs a terminal or a file: name one with --secret-file" in output.err


def test_a_terminal_shows_the_secret_once(apply, monkeypatch):
    monkeypatch.setattr(new_key, "_on_a_terminal", lambda: True)
    monkeypatch.setenv("OLD_KEY", "x")
    Path("trailcourier.toml").write_text(WITH_KEYS)

    write = ("--write", "trailcourier.toml")
    first, second = apply(*write), apply(*write)

    (line,) = [line for line in first.out.splitlines() if line.startswith("secret access key:")]
    assert len(line.split()[-1]) >= 40
    assert "valid: the configuration has no errors" in first.out
    assert "secret access key:" not in second.out
    assert "access-key" in second.out


def test_without_a_file_the_next_step_names_the_variables_of_the_key(apply, monkeypatch):
    monkeypatch.setattr(new_key, "_on_a_terminal", lambda: True)

    output = apply()

    expected = "next: export PROD_ACCESS_KEY_ID=... PROD_SECRET_ACCESS_KEY=... with the access key"
    assert expected in output.out


def test_an_offline_plan_prints_no_name_that_a_bucket_could_have(call, name):
    output = call("plan", "--offline")

    assert f"{name}-ACCOUNT-us-east-1" in output.out
    assert f"{name}-account-us-east-1" not in output.out


def test_an_existing_secret_file_is_not_overwritten(apply, gate):
    Path("secret").write_text("somebody's")

    output = apply("--secret-file", "secret")

    assert (output.code, gate.changes) == (Exit.CONFIG, [])
    assert "exists already" in output.err
    assert Path("secret").read_text() == "somebody's"
    assert not Path("secret.id").exists()


def test_no_empty_secret_file_remains_if_no_key_was_created(apply, gate):
    gate.denied.add("iam:CreateUser")

    output = apply("--secret-file", "secret")

    assert output.code == Exit.UNREACHABLE
    assert not Path("secret").exists()
    assert "run the same command again, and it continues" in output.err
    assert '"Action": "iam:CreateUser"' in output.err


def test_a_lost_secret_is_an_error_with_advice(apply, name):
    apply("--secret-file", "secret")

    output = apply("--secret-file", "other")

    key = Path("secret.id").read_text().strip()
    assert output.code == Exit.CONFIG
    assert f"aws iam delete-access-key --user-name {name} --access-key-id {key}" in output.err
    assert not Path("other").exists()


def test_problems_of_tables_that_are_only_printed_name_no_file(apply):
    apply("--secret-file", "secret")

    output = apply("--fresh")

    assert output.code == Exit.NO
    wrong = [line for line in output.out.splitlines() if line.startswith("not valid: ")]
    assert [line.split(":")[1] for line in wrong] == [
        " sources.prod.credentials.access_key_id", " sources.prod.credentials.secret_access_key",
    ]  # fmt: skip


def test_a_second_apply_reports_unchanged_and_keeps_the_file(apply):
    options = ("--write", "trailcourier.toml", "--secret-file", "secret")
    apply(*options)
    before = Path("trailcourier.toml").read_text()

    output = apply(*options)

    assert output.code == Exit.DONE, output.err
    assert "18 unchanged" in output.out
    assert "already has source prod; not changed" in output.out
    assert Path("trailcourier.toml").read_text() == before


def test_the_choices_of_the_last_apply_are_remembered(call, apply, gate, site, name):
    options = ("--delivery", "s3", "--reader", "none", "--tag", "team=sec")
    apply(*options, "--write", "trailcourier.toml")
    gate.calls.clear()

    again, planned = apply(), call("plan")

    assert again.code == Exit.DONE, again.err
    assert [each for each in gate.changes if "Receive" not in each] == []
    assert "unchanged; nothing was changed" in planned.out
    assert f"as at the last apply of {name}: " in again.err
    assert "--delivery s3" in again.err
    assert "--tag team=sec" in again.err


def test_an_option_that_undoes_a_choice_is_said(call, apply):
    apply("--delivery", "s3", "--reader", "none")

    changed = call("plan", "--delivery", "sns")
    fresh = call("plan", "--fresh")

    for output in (changed, fresh):
        assert "--delivery s3 was chosen at the last apply and is not now" in output.err
    assert "--reader none was chosen" in fresh.err
    assert "--reader none was chosen" not in changed.err


def test_choices_of_another_account_are_not_taken_in_silence(call, apply, tmp_path):
    apply("--reader", "none")
    memory = tmp_path / "trailcourier" / "setup.json"
    memory.write_text(memory.read_text().replace(ACCOUNT, "111122223333"))

    output = apply()

    assert output.code == Exit.CONFIG
    assert "--account 111122223333" in output.err
    assert "--fresh ignores it" in output.err


def test_a_destroyed_set_up_is_forgotten(call, apply):
    apply("--delivery", "s3", "--reader", "none")
    call("destroy", "--yes")

    assert "as at the last apply" not in call("plan").err


def test_a_new_key_that_the_file_does_not_name_gives_a_warning(apply, site, name):
    """After a secret was lost, its key deleted, and apply run again."""
    write = ("--write", "trailcourier.toml")
    apply(*write, "--secret-file", "secret")
    key = Path("secret.id").read_text().strip()
    site().client("iam").delete_access_key(UserName=name, AccessKeyId=key)

    output = apply(*write, "--secret-file", "other")
    again = apply(*write)

    folder = Path.cwd()
    (warning,) = [line for line in output.out.splitlines() if line.startswith("warning: ")]
    assert warning == (
        "warning: sources.prod.credentials names another access key than the new one: set "
        f'access_key_id = "file:{folder}/other.id" and '
        f'secret_access_key = "file:{folder}/other"'
    )
    assert "warning" not in again.out


def test_the_next_command_names_the_file_that_was_written(apply):
    options = ("--reader", "none")

    printed = apply(*options)
    usual = apply(*options, "--write", str(Path("trailcourier.toml").absolute()))
    aside = apply(*options, "--write", "my own.toml")
    printed_again = apply(*options, "--fresh")

    assert [each.out.splitlines()[-1] for each in (printed, usual, aside, printed_again)] == [
        "next: add the tables above to trailcourier.toml, then trailcourier run",
        "next: trailcourier run",
        "next: trailcourier run --config 'my own.toml'",
        "next: add the tables above to trailcourier.toml, then trailcourier run",
    ]


def test_apply_says_where_records_go_if_it_added_the_sink(apply):
    options = ("--reader", "none", "--write", "trailcourier.toml")

    first, second = apply(*options), apply(*options)

    assert "\nrecords go to files below events/, in the folder that the collector" in first.out
    assert "records go" not in second.out


def test_the_source_is_added_to_a_file_whose_text_stays(apply):
    there = (
        '# ours\n[sources.old]\nqueue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/q"'
    )
    there += '\nsinks = ["siem"]\n\n[sinks.siem]\ntype = "stdout"\n'
    Path("trailcourier.toml").write_text(there)
    Path("trailcourier.toml").chmod(0o640)

    output = apply("--write", "trailcourier.toml", "--secret-file", "secret")

    assert output.code == Exit.DONE, output.err
    assert Path("trailcourier.toml").read_text().startswith(there)
    assert stat.S_IMODE(Path("trailcourier.toml").stat().st_mode) == 0o640
    assert loaded().sources["prod"].sinks == ("siem",)


def test_a_source_of_the_same_name_with_another_queue_is_refused_before_any_change(apply, gate):
    there = '[sources.prod]\nqueue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/q"\n'
    Path("trailcourier.toml").write_text(there)

    output = apply("--write", "trailcourier.toml", "--secret-file", "secret")

    assert (output.code, gate.changes) == (Exit.CONFIG, [])
    assert "already has a source prod with another queue" in output.err
    assert Path("trailcourier.toml").read_text() == there


def test_without_a_file_the_source_is_printed(apply, name):
    output = apply("--reader", "none")

    assert output.code == Exit.DONE, output.err
    assert "\n[sources.prod]\n" in output.out
    assert "access_key_id" not in output.out
    assert "(tried with your credentials, not the collector's)" in output.out


def test_the_external_id_of_a_role_is_given_by_reference(apply, site, name, monkeypatch):
    monkeypatch.setenv("AN_ID", "id-between-two")
    who = ("--reader", "cross-account", "--principal", "arn:aws:iam::444455556666:root")

    output = apply(*who, "--external-id", "env:AN_ID", "--write", "trailcourier.toml")

    assert output.code == Exit.DONE, output.err
    role = site().client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    (statement,) = role["Statement"]
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "id-between-two"}}
    assert loaded().sources["prod"].credentials.external_id.reveal() == "id-between-two"
    assert "id-between-two" not in output.out + Path("trailcourier.toml").read_text()
    assert apply(*who, "--fresh").code == Exit.CONFIG
    literal = apply(*who, "--external-id", "literal-value")
    assert literal.code == Exit.CONFIG
    assert "literal-value" not in literal.err


def test_a_bucket_of_another_account_is_read_through_a_role_of_that_account(
    apply, site, gate, name, monkeypatch
):
    """Runs the printed commands in the other account; then the written source reads the bucket."""
    monkeypatch.setenv("AN_ID", "id-between-two")
    gate.denied.add("sns:Subscribe")  # the other account has to allow it too
    theirs = clients_in_account("444455556666", gate.url)
    bucket = f"{name}-logs"
    theirs("s3").create_bucket(Bucket=bucket)
    theirs("s3").put_object(Bucket=bucket, Key="k", Body=b"x")

    output = apply(
        "--no-trail", "--topic", "arn:aws:sns:us-east-1:444455556666:cloudtrail",
        "--existing-bucket", "--bucket", bucket, "--bucket-region", "us-east-1",
        "--bucket-account", "444455556666", "--bucket-role",
        "arn:aws:iam::444455556666:role/their-logs", "--external-id", "env:AN_ID",
        "--secret-file", "secret", "--write", "trailcourier.toml",
    )  # fmt: skip
    for line in output.out.splitlines():
        if line.startswith("  aws iam "):
            verb, *options = shlex.split(line.replace("EXTERNAL_ID", "id-between-two"))[2:]
            given = {each[2:].title().replace("-", ""): value for each, value in pairs(options)}
            getattr(theirs("iam"), verb.replace("-", "_"))(**given)

    assert "id-between-two" not in output.out
    source = loaded().sources["prod"]
    session = sessions.make_session(
        source.bucket_credentials[source.own_credentials(bucket)],
        source="prod", sts_region="us-east-1", network=Network(endpoint_url=gate.url),
    )  # fmt: skip
    made = partial(
        clients.make_client, session, region="us-east-1", network=Network(endpoint_url=gate.url)
    )
    identity = made(service="sts").get_caller_identity()
    assert identity["Arn"].startswith("arn:aws:sts::444455556666:assumed-role/their-logs/")
    body = made(service="s3").get_object(Bucket=bucket, Key="k", ExpectedBucketOwner="444455556666")
    assert body["Body"].read() == b"x"
    role = theirs("iam").get_role(RoleName="their-logs")["Role"]["AssumeRolePolicyDocument"]
    user = site().client("iam").get_user(UserName=name)["User"]["Arn"]
    assert role["Statement"][0]["Principal"] == {"AWS": user}
    assert theirs("iam").list_role_policies(RoleName="their-logs")["PolicyNames"] == [name]


def clients_in_account(account, url):
    """Clients in another of moto's accounts."""
    sts = boto3.client("sts", region_name="us-east-1", endpoint_url=url)
    role = f"arn:aws:iam::{account}:role/anybody"
    keys = sts.assume_role(RoleArn=role, RoleSessionName="other")["Credentials"]

    def client(service):
        return boto3.client(
            service, region_name="us-east-1", endpoint_url=url,
            aws_access_key_id=keys["AccessKeyId"], aws_session_token=keys["SessionToken"],
            aws_secret_access_key=keys["SecretAccessKey"],
        )  # fmt: skip

    return client


def pairs(options):
    return zip(options[::2], options[1::2], strict=True)


def test_plan_and_destroy_take_the_options_that_apply_was_called_with(
    call, apply, gate, monkeypatch
):
    monkeypatch.setenv("AN_ID", "id-between-two")
    Path("trailcourier.toml").write_text(WITH_KEYS.replace("archive", "siem"))
    options = (
        "--reader", "cross-account", "--principal", "arn:aws:iam::444455556666:root",
        "--external-id", "env:AN_ID", "--write", "trailcourier.toml", "--secret-file", "secret",
        "--wait", "0",
    )  # fmt: skip

    planned = call("plan", *options)
    otherwise = call("plan", *options, "--sink", "one", "--sink", "two")
    applied = apply(*options)
    there = call("plan", *options)
    untold = call("plan", *options[:4], "--fresh")
    monkeypatch.setenv("AN_ID", "another")
    differs = call("plan", *options)
    destroyed = call("destroy", "--yes", *options, "--sink", "siem")

    assert planned.code == Exit.DONE, planned.err
    assert 'external_id = "env:AN_ID"' in planned.out
    assert '\nsinks = ["siem"]\n' in planned.out
    assert '\nsinks = ["one", "two"]\n' in otherwise.out
    assert "15 created" in applied.out, applied.err
    assert "15 unchanged; nothing was changed" in there.out
    assert "15 unchanged; nothing was changed" in untold.out
    assert "not known yet: the external id: give --external-id env:NAME or file:/path" in untold.out
    assert "not known yet" not in there.out
    assert "\nto update    role: " in differs.out
    assert destroyed.code == Exit.DONE, destroyed.err
    assert "removed      queue:" in destroyed.out


def test_a_plan_over_an_existing_set_up_says_what_a_new_key_will_change(call, apply):
    apply("--reader", "none")

    output = call("plan", "--reader", "none", "--kms-key", "new", "--encrypt", "queue")
    destroyed = call(
        "destroy", "--yes", "--reader", "none", "--kms-key", "new", "--encrypt", "queue"
    )

    (queue,) = [line for line in output.out.splitlines() if " queue: " in line]
    assert queue.startswith("to update"), output.err
    assert queue.endswith("(key_arn is not known yet)")
    assert "removed      queue:" in destroyed.out, destroyed.err


def test_plan_and_apply_print_the_same_summaries(call, apply):
    planned = call("plan")
    applied = apply("--secret-file", "secret")

    def summaries(output, state):
        return [line.split(maxsplit=len(state.split()))[-1] for line in output.out.splitlines()
                if line.startswith(state)]  # fmt: skip

    assert summaries(planned, "to create") == summaries(applied, "created")
    assert planned.out.splitlines()[-1] == "18 to create; nothing was changed"


def test_a_plan_without_credentials_says_what_it_does_not_know(call, gate, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    output = call("plan")

    assert output.code == Exit.DONE, output.err
    assert gate.calls == []
    assert "arn:aws" not in output.out.splitlines()[0]
    assert (
        "not known yet: the account: give --account, or credentials for sts:GetCallerIdentity"
        in output.out
    )
    assert "what exists already is not known: " in output.out


def test_a_plan_in_json_has_the_calls_and_their_parameters(call, name):
    output = call("plan", "--offline", "--account", "111122223333", "--json").json

    queue = next(step for step in output["steps"] if step["step"] == "queue")
    assert queue["state"] == "to create"
    (made,) = queue["calls"]
    assert (made["call"], made["parameters"]["QueueName"]) == ("sqs:CreateQueue", name)
    assert output["account"] == "111122223333"
    assert output["unseen"] == "AWS was not asked (--offline)"


def test_all_problems_with_the_options_are_printed(call, gate):
    output = call(
        "plan", "--delivery", "s3", "--raw", "--prefix", "/x", "--reader", "cross-account"
    )

    assert (output.code, output.out) == (Exit.USAGE, "")
    assert len(output.err.splitlines()) == 3
    assert all(line.startswith("trailcourier: --") for line in output.err.splitlines())
    assert gate.calls == []


def test_an_unknown_region_is_an_error_that_names_the_nearest(call):
    output = call("plan", "--region", "us-est-1")

    assert output.code == Exit.USAGE
    assert "did you mean us-west-1?" in output.err


def test_credentials_of_another_account_are_refused(apply, gate):
    output = apply("--account", "111122223333", "--secret-file", "secret")

    assert (output.code, gate.changes) == (Exit.CONFIG, [])
    assert f"these credentials are of account {ACCOUNT}" in output.err


def test_a_topic_of_another_account_leaves_steps_for_it_and_exits_with_1(apply, gate):
    gate.denied.add("sns:Subscribe")
    topic = "arn:aws:sns:us-east-1:444455556666:aws-controltower-AllConfigNotifications"

    output = apply(
        "--no-trail", "--topic", topic, "--existing-bucket", "--bucket-region", "us-east-1",
        "--bucket", "aws-controltower-logs", "--bucket-account", "444455556666",
        "--reader", "instance-profile",
    )  # fmt: skip

    assert output.code == Exit.NO, output.err
    assert "not allowed  subscription" in output.out
    assert (f"aws sns add-permission --region us-east-1 --topic-arn {topic} --label ") in output.out
    assert "  aws sns subscribe " in output.out
    assert '"Action": ["s3:GetObject", "s3:GetObjectVersion"]' in output.out
    assert "aws ec2 associate-iam-instance-profile" in output.out


def test_destroy_asks_first_and_removes_what_it_listed(call, apply, gate, monkeypatch):
    apply("--secret-file", "secret")
    gate.calls.clear()

    for answer in ("", "n\n"):  # without a person, or with a no
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        asked = call("destroy")
        assert asked.code == Exit.NO
        assert "to remove    trail" in asked.out
        assert asked.out.endswith("To remove it without this question, add --yes.\n")
        assert gate.changes == []

    done = call("destroy", "--yes")
    assert done.code == Exit.DONE, done.err
    assert done.out.splitlines()[-1] == "14 removed"


def test_the_preview_of_destroy_is_what_destroy_does(call, apply, site, name, monkeypatch):
    apply("--secret-file", "secret")
    s3 = site().client("s3")
    s3.put_object(Bucket=f"{name}-{ACCOUNT}-us-east-1", Key="AWSLogs/a.json.gz", Body=b"x")
    iam = site().client("iam")
    iam.create_user(UserName=f"other-{name}")
    iam.add_user_to_group(UserName=f"other-{name}", GroupName=name)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))

    asked, done = call("destroy"), call("destroy", "--yes")

    def steps(output, removed):
        lines = (line.replace(removed, "removed", 1) for line in output.out.splitlines())
        return [line.split() for line in lines if line.startswith(("removed", "kept"))]

    assert steps(asked, "to remove") == steps(done, "removed")
    assert "kept         bucket:" in asked.out
    assert "kept         group:" in asked.out


def test_destroy_says_how_many_messages_wait_before_it_asks(call, apply, site, name, monkeypatch):
    apply("--reader", "none")
    sqs = site().client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    for body in ("one", "two"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))

    asked = call("destroy", "--reader", "none")
    done = call("destroy", "--reader", "none", "--yes", "--json").json

    assert f"queue {name}: 2 messages wait in it; deleted with the queue." in asked.out
    assert f"{name}-dead: " not in asked.out
    assert {"queue": name, "messages": 2} in done["waiting"]


def test_destroy_names_the_key_files_and_apply_works_after_it(call, apply):
    options = ("--write", "trailcourier.toml", "--secret-file", "secret")
    apply(*options)
    first = Path("secret.id").read_text()

    destroyed = call("destroy", "--yes")  # the configuration names the files
    again = apply(*options)

    assert "secret.deleted (was " in destroyed.out
    assert Path("secret.id.deleted").read_text() == first
    assert again.code == Exit.DONE, again.err
    assert Path("secret.id").read_text() != first


def test_files_of_another_key_stay_as_they_are(call, apply):
    apply("--secret-file", "secret")
    Path("secret.id").write_text("AKIAOTHER\n")

    output = call("destroy", "--yes", "--secret-file", "secret")

    assert "stays: secret, which is not of the deleted access key" in output.out
    assert Path("secret").is_file()


def test_destroy_that_finds_nothing_names_what_it_looked_for(call, name):
    output = call("destroy", "--yes")

    assert output.code == Exit.DONE, output.err
    assert output.out.splitlines()[0].startswith(f"account {ACCOUNT}, us-east-1")
    assert output.out.splitlines()[-1].startswith(f"Found nothing named {name} in us-east-1.")


def test_a_module_is_written_to_a_new_folder_and_never_over_files(call):
    first = call("export", "terraform", "--account", ACCOUNT, "--module", "trail")
    again = call("export", "terraform", "--account", ACCOUNT, "--module", "trail")
    other = call("export", "cli", "--account", ACCOUNT, "--module", "trail")

    assert first.code == Exit.DONE, first.err
    assert {each.name for each in Path("trail").iterdir()} == {
        "main.tf.json", "outputs.tf.json", "versions.tf.json",
    }  # fmt: skip
    assert first.out.splitlines()[-1] == "written: trail/versions.tf.json"
    assert again.code == Exit.CONFIG
    assert "trail/main.tf.json exists already" in again.err
    assert other.code == Exit.USAGE


def test_destroy_in_json(call, apply, gate):
    apply("--secret-file", "secret")
    gate.calls.clear()
    unasked = call("destroy", "--json")
    assert (unasked.code, gate.calls) == (Exit.USAGE, [])

    output = call("destroy", "--yes", "--json").json

    assert {each["state"] for each in output["steps"]} == {"removed"}


def test_govcloud_warns_of_records_that_leave_the_partition(apply, name):
    output = apply("--region", "us-gov-west-1", "--secret-file", "secret", "--write", "c.toml")

    assert output.code == Exit.DONE, output.err
    assert "partition aws-us-gov" in output.out
    assert "warning: sink archive: writes to this host; if the host is outside" in output.out
    assert f"arn:aws-us-gov:sqs:us-gov-west-1:{ACCOUNT}:{name}" not in output.out
    assert 'queue_region = "us-gov-west-1"' in Path("c.toml").read_text()
