"""``trailcourier setup`` as a person calls it, on moto behind the gate."""

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

from trailcourier import aws, cli, settings
from trailcourier.cli.exits import Exit
from trailcourier.cli.setup import applying
from trailcourier.egress import Egress

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


class Said(NamedTuple):
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
def around(gate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable, value in {
        "AWS_ENDPOINT_URL": gate.url,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "example",
    }.items():
        monkeypatch.setenv(variable, value)


@pytest.fixture
def call(around, name, capsys):
    def called(verb, *options):
        capsys.readouterr()
        code = cli.execute(["setup", verb, "--name", name, *options])
        return Said(code, *capsys.readouterr())

    return called


@pytest.fixture
def apply(call):
    def called(*options):
        return call("apply", "--wait", "0", *options)

    return called


def loaded():
    return settings.load(Path("trailcourier.toml"), os.environ)


def test_s03_s58_one_command_makes_saves_validates_and_goes_live(apply, name):
    said = apply("--write", "trailcourier.toml", "--secret-file", "secret")

    assert said.code == Exit.DONE, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith(f"account {ACCOUNT}, us-east-1, partition aws, as arn:aws:sts::")
    assert "saved: written to trailcourier.toml" in lines
    assert "valid: nothing is wrong with it" in lines
    assert "its secret is in secret, its id in secret.id, for you alone to read" in said.out
    assert any(line.startswith("live: the queue can be received from, and is") for line in lines)
    assert lines[-2:] == ["17 made", "next: trailcourier run"]


def test_s55_s56_s57_the_source_names_queue_region_bucket_and_credential(apply, name):
    apply("--write", "trailcourier.toml", "--secret-file", "secret")

    source = loaded().sources["prod"]
    assert source.queue.name == name
    assert source.queue.region == "us-east-1"
    assert source.bucket_region == "us-east-1"
    assert source.buckets == (f"{name}-{ACCOUNT}-us-east-1",)
    assert source.expected_bucket_owner is None  # which would have boto3 read each file
    assert source.credentials.kind == "iam-user"
    assert source.credentials.secret_access_key.reveal() == Path("secret").read_text().strip()
    assert source.credentials.access_key_id.reveal() == Path("secret.id").read_text().strip()


def test_s43_the_secret_is_in_its_file_for_its_owner_and_nowhere_else(apply):
    said = apply("--write", "trailcourier.toml", "--secret-file", "secret", "--json")

    secret = Path("secret").read_text().strip()
    assert len(secret) >= 40
    assert stat.S_IMODE(Path("secret").stat().st_mode) == 0o600
    assert secret not in said.out + said.err + Path("trailcourier.toml").read_text()
    assert said.json["written"] == "written to trailcourier.toml"
    assert said.json["live"]["good"] is True


def test_s43_without_a_terminal_or_a_file_no_key_and_nothing_else_is_made(apply, gate):
    said = apply()

    assert (said.code, gate.changes) == (Exit.CONFIG, [])
    assert "shown on a terminal only: name a file for it, --secret-file" in said.err


def test_s43_on_a_terminal_the_secret_is_shown_once(apply, monkeypatch):
    monkeypatch.setattr(applying, "_on_a_terminal", lambda: True)
    monkeypatch.setenv("OLD_KEY", "x")
    Path("trailcourier.toml").write_text(WITH_KEYS)

    write = ("--write", "trailcourier.toml")
    first, second = apply(*write), apply(*write)

    (shown,) = [line for line in first.out.splitlines() if line.startswith("secret access key:")]
    assert len(shown.split()[-1]) >= 40
    assert "valid: nothing is wrong with it" in first.out
    assert "secret access key:" not in second.out
    assert "access-key" in second.out


def test_a_secret_file_that_is_there_is_not_written_over(apply, gate):
    Path("secret").write_text("somebody's")

    said = apply("--secret-file", "secret")

    assert (said.code, gate.changes) == (Exit.CONFIG, [])
    assert "is there already" in said.err
    assert Path("secret").read_text() == "somebody's"
    assert not Path("secret.id").exists()


def test_a_secret_file_is_not_left_empty_where_no_key_was_made(apply, gate):
    gate.denied.add("iam:CreateUser")

    said = apply("--secret-file", "secret")

    assert said.code == Exit.UNREACHABLE
    assert not Path("secret").exists()
    assert "run the same again, and it goes on" in said.err
    assert '"Action": "iam:CreateUser"' in said.err


def test_s43_a_secret_that_was_lost_is_said_with_what_to_do(apply, name):
    apply("--secret-file", "secret")

    said = apply("--secret-file", "other")

    key = Path("secret.id").read_text().strip()
    assert said.code == Exit.CONFIG
    assert f"aws iam delete-access-key --user-name {name} --access-key-id {key}" in said.err
    assert not Path("other").exists()


def test_what_is_wrong_with_tables_that_are_only_printed_names_no_file(apply):
    apply("--secret-file", "secret")

    said = apply()

    assert said.code == Exit.NO
    wrong = [line for line in said.out.splitlines() if line.startswith("not valid: ")]
    assert [line.split(":")[1] for line in wrong] == [
        " sources.prod.credentials.access_key_id", " sources.prod.credentials.secret_access_key",
    ]  # fmt: skip


def test_a_second_apply_says_that_all_is_so_and_keeps_the_file(apply):
    options = ("--write", "trailcourier.toml", "--secret-file", "secret")
    apply(*options)
    before = Path("trailcourier.toml").read_text()

    said = apply(*options)

    assert said.code == Exit.DONE, said.err
    assert "17 already so" in said.out
    assert "has the source already, and stays as it is" in said.out
    assert Path("trailcourier.toml").read_text() == before


def test_a_new_key_that_the_file_does_not_name_is_said_with_what_to_write(apply, site, name):
    """As where a secret was lost, its key deleted, and apply run again."""
    write = ("--write", "trailcourier.toml")
    apply(*write, "--secret-file", "secret")
    key = Path("secret.id").read_text().strip()
    site().client("iam").delete_access_key(UserName=name, AccessKeyId=key)

    said = apply(*write, "--secret-file", "other")
    again = apply(*write)

    folder = Path.cwd()
    (warning,) = [line for line in said.out.splitlines() if line.startswith("warning: ")]
    assert warning == (
        "warning: sources.prod.credentials names another access key than the one just made: let it "
        f'say access_key_id = "file:{folder}/other.id" and '
        f'secret_access_key = "file:{folder}/other"'
    )
    assert "warning" not in again.out


def test_what_comes_next_names_the_file_that_was_written(apply):
    options = ("--reader", "none")

    printed = apply(*options)
    usual = apply(*options, "--write", str(Path("trailcourier.toml").absolute()))
    aside = apply(*options, "--write", "my own.toml")
    printed_again = apply(*options)

    assert [each.out.splitlines()[-1] for each in (printed, usual, aside, printed_again)] == [
        "next: with the tables above in trailcourier.toml, trailcourier run",
        "next: trailcourier run",
        "next: trailcourier run --config 'my own.toml'",
        "next: with the tables above in trailcourier.toml, trailcourier run",
    ]


def test_it_says_where_the_records_go_where_nobody_else_did(apply):
    options = ("--reader", "none", "--write", "trailcourier.toml")

    first, second = apply(*options), apply(*options)

    assert "\nrecords go to files below events, in the folder it is started in" in first.out
    assert "records go" not in second.out


def test_s50_the_source_is_added_to_a_file_and_what_is_there_stays(apply):
    there = (
        '# ours\n[sources.old]\nqueue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/q"'
    )
    there += '\nsinks = ["siem"]\n\n[sinks.siem]\ntype = "stdout"\n'
    Path("trailcourier.toml").write_text(there)
    Path("trailcourier.toml").chmod(0o640)

    said = apply("--write", "trailcourier.toml", "--secret-file", "secret")

    assert said.code == Exit.DONE, said.err
    assert Path("trailcourier.toml").read_text().startswith(there)
    assert stat.S_IMODE(Path("trailcourier.toml").stat().st_mode) == 0o640
    assert loaded().sources["prod"].sinks == ("siem",)


def test_a_source_of_the_same_name_with_another_queue_is_refused_before_anything_is_made(
    apply, gate
):
    there = '[sources.prod]\nqueue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/q"\n'
    Path("trailcourier.toml").write_text(there)

    said = apply("--write", "trailcourier.toml", "--secret-file", "secret")

    assert (said.code, gate.changes) == (Exit.CONFIG, [])
    assert "has a source prod already, with another queue" in said.err
    assert Path("trailcourier.toml").read_text() == there


def test_without_a_file_the_source_is_printed_as_it_would_be_written(apply, name):
    said = apply("--reader", "none")

    assert said.code == Exit.DONE, said.err
    assert "\n[sources.prod]\n" in said.out
    assert "access_key_id" not in said.out
    assert "(tried as you, not as the collector)" in said.out


def test_a_role_across_accounts_takes_its_external_id_by_reference(apply, site, name, monkeypatch):
    monkeypatch.setenv("AN_ID", "id-between-two")
    who = ("--reader", "cross-account", "--principal", "arn:aws:iam::444455556666:root")

    said = apply(*who, "--external-id", "env:AN_ID", "--write", "trailcourier.toml")

    assert said.code == Exit.DONE, said.err
    role = site().client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    (statement,) = role["Statement"]
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "id-between-two"}}
    assert loaded().sources["prod"].credentials.external_id.reveal() == "id-between-two"
    assert "id-between-two" not in said.out + Path("trailcourier.toml").read_text()
    assert apply(*who).code == Exit.CONFIG
    literal = apply(*who, "--external-id", "literal-value")
    assert literal.code == Exit.CONFIG
    assert "literal-value" not in literal.err


def test_a_bucket_of_another_account_is_read_as_a_role_of_that_account(
    apply, site, gate, name, monkeypatch
):
    """What is printed for the other side is done there; then what was written reads the bucket."""
    monkeypatch.setenv("AN_ID", "id-between-two")
    gate.denied.add("sns:Subscribe")  # which is for the other side too
    theirs = as_account("444455556666", gate.url)
    bucket = f"{name}-logs"
    theirs("s3").create_bucket(Bucket=bucket)
    theirs("s3").put_object(Bucket=bucket, Key="k", Body=b"x")

    said = apply(
        "--no-trail", "--topic", "arn:aws:sns:us-east-1:444455556666:cloudtrail",
        "--existing-bucket", "--bucket", bucket, "--bucket-region", "us-east-1",
        "--bucket-account", "444455556666", "--bucket-role",
        "arn:aws:iam::444455556666:role/their-logs", "--external-id", "env:AN_ID",
        "--secret-file", "secret", "--write", "trailcourier.toml",
    )  # fmt: skip
    for line in said.out.splitlines():
        if line.startswith("  aws iam "):
            verb, *options = shlex.split(line.replace("EXTERNAL_ID", "id-between-two"))[2:]
            given = {each[2:].title().replace("-", ""): value for each, value in pairs(options)}
            getattr(theirs("iam"), verb.replace("-", "_"))(**given)

    assert "id-between-two" not in said.out
    source = loaded().sources["prod"]
    session = aws.session(
        source.bucket_credentials[source.own_credentials(bucket)],
        source="prod", sts_region="us-east-1", egress=Egress(endpoint_url=gate.url),
    )  # fmt: skip
    made = partial(aws.client, session, region="us-east-1", egress=Egress(endpoint_url=gate.url))
    whose = made(service="sts").get_caller_identity()
    assert whose["Arn"].startswith("arn:aws:sts::444455556666:assumed-role/their-logs/")
    body = made(service="s3").get_object(Bucket=bucket, Key="k", ExpectedBucketOwner="444455556666")
    assert body["Body"].read() == b"x"
    role = theirs("iam").get_role(RoleName="their-logs")["Role"]["AssumeRolePolicyDocument"]
    user = site().client("iam").get_user(UserName=name)["User"]["Arn"]
    assert role["Statement"][0]["Principal"] == {"AWS": user}
    assert theirs("iam").list_role_policies(RoleName="their-logs")["PolicyNames"] == [name]


def as_account(account, url):
    """Clients in another of moto's accounts."""
    sts = boto3.client("sts", region_name="us-east-1", endpoint_url=url)
    role = f"arn:aws:iam::{account}:role/anybody"
    held = sts.assume_role(RoleArn=role, RoleSessionName="other")["Credentials"]

    def client(service):
        return boto3.client(
            service, region_name="us-east-1", endpoint_url=url,
            aws_access_key_id=held["AccessKeyId"], aws_session_token=held["SessionToken"],
            aws_secret_access_key=held["SecretAccessKey"],
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
    untold = call("plan", *options[:4])
    monkeypatch.setenv("AN_ID", "another")
    differs = call("plan", *options)
    destroyed = call("destroy", "--yes", *options, "--sink", "siem")

    assert planned.code == Exit.DONE, planned.err
    assert 'external_id = "env:AN_ID"' in planned.out
    assert '\nsinks = ["siem"]\n' in planned.out
    assert '\nsinks = ["one", "two"]\n' in otherwise.out
    assert "14 made" in applied.out, applied.err
    assert "14 already so; nothing was changed" in there.out
    assert "14 already so; nothing was changed" in untold.out
    assert "not known yet: the external id: --external-id says where it is" in untold.out
    assert "not known yet" not in there.out
    assert "\nto change      role: " in differs.out
    assert destroyed.code == Exit.DONE, destroyed.err
    assert "removed        queue:" in destroyed.out


def test_a_plan_over_what_is_there_says_what_a_key_that_is_not_made_yet_will_change(call, apply):
    apply("--reader", "none")

    said = call("plan", "--reader", "none", "--kms-key", "new", "--encrypt", "queue")
    gone = call("destroy", "--yes", "--reader", "none", "--kms-key", "new", "--encrypt", "queue")

    (queue,) = [line for line in said.out.splitlines() if " queue: " in line]
    assert queue.startswith("to change"), said.err
    assert queue.endswith("(key_arn is not known yet)")
    assert "removed        queue:" in gone.out, gone.err


def test_a_plan_says_the_same_words_as_apply(call, apply):
    planned = call("plan")
    applied = apply("--secret-file", "secret")

    def words(said, state):
        return [line.split(maxsplit=len(state.split()))[-1] for line in said.out.splitlines()
                if line.startswith(state)]  # fmt: skip

    assert words(planned, "to make") == words(applied, "made")
    assert planned.out.splitlines()[-1] == "17 to make; nothing was changed"


def test_a_plan_without_credentials_says_what_it_would_find_out(call, gate, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    said = call("plan")

    assert said.code == Exit.DONE, said.err
    assert gate.calls == []
    assert "arn:aws" not in said.out.splitlines()[0]
    assert (
        "not known yet: the account: --account, or else sts:GetCallerIdentity says it" in said.out
    )
    assert "what is there already was not seen" in said.out


def test_a_plan_in_json_has_the_calls_and_their_parameters(call, name):
    said = call("plan", "--offline", "--account", "111122223333", "--json").json

    queue = next(step for step in said["steps"] if step["step"] == "queue")
    assert queue["state"] == "to make"
    (made,) = queue["calls"]
    assert (made["call"], made["parameters"]["QueueName"]) == ("sqs:CreateQueue", name)
    assert said["account"] == "111122223333"
    assert said["unseen"] == "AWS was not asked"


def test_options_that_do_not_go_together_are_all_said(call, gate):
    said = call("plan", "--delivery", "s3", "--raw", "--prefix", "/x", "--reader", "cross-account")

    assert (said.code, said.out) == (Exit.USAGE, "")
    assert len(said.err.splitlines()) == 3
    assert all(line.startswith("trailcourier: --") for line in said.err.splitlines())
    assert gate.calls == []


def test_a_region_that_is_none_is_said_with_the_nearest(call):
    said = call("plan", "--region", "us-est-1")

    assert said.code == Exit.USAGE
    assert "did you mean us-west-1?" in said.err


def test_another_account_than_was_said_is_refused(apply, gate):
    said = apply("--account", "111122223333", "--secret-file", "secret")

    assert (said.code, gate.changes) == (Exit.CONFIG, [])
    assert f"these credentials are of account {ACCOUNT}" in said.err


def test_a_topic_of_another_account_leaves_steps_for_it_and_says_no(apply, gate):
    gate.denied.add("sns:Subscribe")
    topic = "arn:aws:sns:us-east-1:444455556666:aws-controltower-AllConfigNotifications"

    said = apply(
        "--no-trail", "--topic", topic, "--existing-bucket", "--bucket-region", "us-east-1",
        "--bucket", "aws-controltower-logs", "--bucket-account", "444455556666",
        "--reader", "instance-profile",
    )  # fmt: skip

    assert said.code == Exit.NO, said.err
    assert "not from here  subscription" in said.out
    assert (f"  aws sns add-permission --region us-east-1 --topic-arn {topic} --label ") in said.out
    assert "  aws sns subscribe " in said.out
    assert '"Action": "s3:GetObject"' in said.out
    assert "aws ec2 associate-iam-instance-profile" in said.out


def test_destroy_asks_first_and_takes_away_what_it_said(call, apply, gate, monkeypatch):
    apply("--secret-file", "secret")
    gate.calls.clear()

    for answer in ("", "n\n"):  # nobody is there, or says no
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        asked = call("destroy")
        assert asked.code == Exit.NO
        assert "to remove      trail" in asked.out
        assert asked.out.endswith("Nothing was changed. With --yes nobody is asked.\n")
        assert gate.changes == []

    done = call("destroy", "--yes")
    assert done.code == Exit.DONE, done.err
    assert done.out.splitlines()[-1] == "14 removed"


def test_destroy_that_finds_nothing_says_what_it_looked_for(call, name):
    said = call("destroy", "--yes")

    assert said.code == Exit.DONE, said.err
    assert said.out.splitlines()[0].startswith(f"account {ACCOUNT}, us-east-1")
    assert said.out.splitlines()[-1].startswith(f"Nothing called {name} was found in us-east-1.")


def test_destroy_in_json(call, apply, gate):
    apply("--secret-file", "secret")
    gate.calls.clear()
    unasked = call("destroy", "--json")
    assert (unasked.code, gate.calls) == (Exit.USAGE, [])

    said = call("destroy", "--yes", "--json").json

    assert {each["state"] for each in said["steps"]} == {"removed"}


def test_s13_s14_govcloud_says_what_leaves_the_partition(apply, name):
    said = apply("--region", "us-gov-west-1", "--secret-file", "secret", "--write", "c.toml")

    assert said.code == Exit.DONE, said.err
    assert "partition aws-us-gov" in said.out
    assert "warning: sink archive: writes on this host; if that is outside aws-us-gov" in said.out
    assert f"arn:aws-us-gov:sqs:us-gov-west-1:{ACCOUNT}:{name}" not in said.out
    assert 'queue_region = "us-gov-west-1"' in Path("c.toml").read_text()
