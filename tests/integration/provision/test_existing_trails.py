"""``trailcourier setup`` in an account that has a trail already, on moto behind the gate."""

import json
import shlex

import pytest
import urllib3

from trailcourier import cli
from trailcourier.cli.exits import Exit

ACCOUNT = "123456789012"


@pytest.fixture
def account(site, gate, moto, tmp_path, monkeypatch):
    """Return a site in an account without resources, whose keys are in the environment."""
    urllib3.request("POST", f"{moto}/moto-api/reset", timeout=60)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return site()


@pytest.fixture
def their_trail(account):
    """A trail of the account with a bucket and a topic, which logs; returns its topic."""
    account.client("s3").create_bucket(Bucket="their-logs")
    topic = account.client("sns").create_topic(Name="their-topic")["TopicArn"]
    trails = account.client("cloudtrail")
    trails.create_trail(
        Name="their-trail", S3BucketName="their-logs", S3KeyPrefix="audit",
        SnsTopicName="their-topic", IsMultiRegionTrail=True,
    )  # fmt: skip
    trails.start_logging(Name="their-trail")
    return topic


@pytest.fixture
def setup(account, capsys):
    def called(*options):
        capsys.readouterr()
        code = cli.execute(["setup", *options])
        return code, *capsys.readouterr()

    return called


def test_a_plan_shows_the_trail_and_the_command_that_uses_it(setup, their_trail):
    code, out, err = setup("plan", "--reader", "none")

    assert code == Exit.DONE, err
    lines = out.splitlines()
    arn = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/their-trail"
    assert f"you have a trail: {arn} (this account's)" in lines
    assert f"  writes to bucket their-logs of account {ACCOUNT} in us-east-1, below audit/" in lines
    assert f"  announces files on {their_trail}" in lines
    assert "  logs" in lines
    assert any("AWS charges for a second copy" in each for each in lines)


def test_the_command_of_the_plan_makes_a_set_up_that_is_live(setup, their_trail, gate):
    planned = setup("plan", "--reader", "none")[1]
    (line,) = [each for each in planned.splitlines() if each.startswith("  Use it: ")]
    _, _, verb, *options = shlex.split(line.removeprefix("  Use it: "))

    code, out, err = setup(verb, *options, "--wait", "0")
    gate.calls.clear()
    again = setup(verb, *options, "--wait", "0")

    assert code == Exit.DONE, out + err
    assert "cloudtrail:CreateTrail" not in gate.calls
    assert "you have a trail" not in out
    assert again[0] == Exit.DONE
    assert not {each for each in gate.changes if "Put" in each or "Create" in each}


def test_apply_refuses_a_second_trail_before_any_change(setup, their_trail, gate):
    gate.calls.clear()

    code, _, err = setup("apply", "--reader", "none", "--wait", "0")

    assert (code, gate.changes) == (Exit.CONFIG, [])
    assert "covers this account already" in err
    assert f"--no-trail --topic {their_trail}" in err
    assert setup("apply", "--reader", "none", "--wait", "0", "--second-trail")[0] == Exit.DONE
    assert setup("apply", "--reader", "none", "--wait", "0")[0] == Exit.DONE  # it is ours by now


def test_no_trail_is_created_where_aws_does_not_show_the_trails(setup, gate):
    gate.denied.add("cloudtrail:DescribeTrails")

    code, _, err = setup("apply", "--reader", "none", "--wait", "0")
    planned = setup("plan", "--reader", "none")[1]

    assert (code, gate.changes) == (Exit.UNREACHABLE, [])
    assert '"Action": "cloudtrail:DescribeTrails"' in err
    assert "add --second-trail" in err
    assert "not known yet: whether a trail covers the account already: AWS denied" in planned


def test_a_set_up_on_a_stopped_trail_is_not_live(setup, account, their_trail):
    account.client("cloudtrail").stop_logging(Name="their-trail")
    options = ("--no-trail", "--topic", their_trail, "--bucket", "their-logs", "--existing-bucket",
               "--reader", "none")  # fmt: skip

    code, out, _ = setup("apply", *options, "--wait", "0")
    planned = setup("plan", *options, "--json")[1]

    assert code == Exit.NO
    assert "not live: trail arn:aws:cloudtrail:" in out
    assert "aws cloudtrail start-logging --region us-east-1" in out
    assert any("does not log" in each for each in json.loads(planned)["advice"])


def test_an_export_says_that_a_trail_exists(setup, their_trail):
    code, out, err = setup("export", "terraform")

    assert code == Exit.DONE
    assert json.loads(out)
    assert "covers this account already" in err
    assert "AWS was not asked" in setup("export", "terraform", "--account", ACCOUNT)[2]
