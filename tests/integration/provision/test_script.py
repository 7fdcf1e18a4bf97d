"""The exported script, run by a shell and the AWS CLI against moto."""

import json
import os
import subprocess

import pytest

from tests.support import programs
from trailcourier.provision import AccountFacts, plan
from trailcourier.provision.export import FORMATS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
# not every AWS CLI uses AWS_ENDPOINT_URL for SQS
TO_MOTO = 'aws() { command aws --endpoint-url "$MOTO" "$@"; }\n'


@pytest.fixture
def run(gate, tmp_path):
    programs.found("aws", "awscli")

    def ran(site):
        text = FORMATS["cli"](site.layout, plan(site.request, AccountFacts(site.layout.account)))
        return subprocess.run(
            ["sh", "-s"],
            input=TO_MOTO + text,
            cwd=tmp_path,
            env={
                **os.environ,
                "MOTO": gate.url,
                "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "example",
            },
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return ran


def test_the_script_creates_what_apply_creates_and_may_be_run_again(run, site, tmp_path):
    ours = site()

    first, second = run(ours), run(ours)

    assert first.returncode == 0, first.stderr
    assert second.returncode == 0, second.stderr
    assert {name: each.state for name, each in ours.apply().items()} == {
        step.id: "unchanged" for step in ours.steps
    }
    (file,) = tmp_path.glob("*-access-key.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(json.loads(file.read_text())["AccessKey"]["SecretAccessKey"]) >= 40


def test_the_script_leaves_a_policy_of_others_to_be_merged_by_hand(run, site):
    ours = site(bucket="others-bucket", existing_bucket=True, reader="none")
    s3 = ours.client("s3")
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    s3.create_bucket(Bucket="others-bucket")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [theirs]})
    s3.put_bucket_policy(Bucket="others-bucket", Policy=policy)

    ended = run(ours)

    assert ended.returncode == 1
    assert "BY HAND: the policy of bucket others-bucket lets CloudTrail write" in ended.stderr
    assert json.loads(s3.get_bucket_policy(Bucket="others-bucket")["Policy"])["Statement"] == [
        theirs
    ]
