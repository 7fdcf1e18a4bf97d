"""Exports: the same plan, in words that CloudFormation, Terraform and a shell understand.

Terraform itself is not run: its provider would have to be downloaded.  The text is parsed as HCL
and its names are compared with those that the provider documents.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import hcl2
import pytest

from tests.terraform_documented import ARGUMENTS, META, REQUIRED
from trailcourier.errors import ConfigError
from trailcourier.provision import Layout, Request, plan
from trailcourier.provision.export import FORMATS, by_hand, cloudformation, provider
from trailcourier.provision.export.hcl import quoted

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/abc"
ROLE = "arn:aws:iam::444455556666:role/collector"
THEIRS = "arn:aws:sns:eu-west-1:444455556666:aws-controltower-AllConfigNotifications"
CHOICES = {
    "default": {},
    "s3": {"delivery": "s3", "reader": "cross-account", "principal": ROLE, "kms_key": "new",
           "encrypt": ("logs", "queue")},
    "eventbridge": {"delivery": "eventbridge", "reader": "instance-profile",
                    "data_events": ("all",)},
    "organisation": {"organization": True, "organization_id": "o-1234567890", "prefix": "o'brien",
                     "raw": True, "data_events": ("one", "two"), "reader": "none"},
    "existing": {"bucket": "acme-logs", "existing_bucket": True, "bucket_region": "eu-west-1",
                 "topic": f"arn:aws:sns:us-east-1:{ACCOUNT}:ct", "reader": "pod-identity",
                 "kms_key": KEY, "encrypt": ("queue",)},
    "control-tower": {"trail": False, "topic": THEIRS, "bucket": "their-logs",
                      "existing_bucket": True, "bucket_account": "444455556666",
                      "bucket_region": "eu-west-1"},
    "govcloud": {"region": "us-gov-west-1", "kms_key": "new",
                 "encrypt": ("logs", "queue", "topic")},
    "china": {"region": "cn-north-1", "reader": "instance-profile"},
}  # fmt: skip
every = pytest.mark.parametrize("choices", CHOICES.values(), ids=CHOICES)


def exported(format_, choices):
    layout = Layout(Request(account=ACCOUNT, **choices))
    return FORMATS[format_](layout, plan(layout.request, layout.found))


def bare(value):
    """What hcl2 parsed, without the quotes that it keeps."""
    if isinstance(value, dict):
        return {key.strip('"'): bare(each) for key, each in value.items() if key != "__is_block__"}
    if isinstance(value, list):
        return [bare(each) for each in value]
    return value.strip('"') if isinstance(value, str) else value


def resources(choices):
    """The resources of the Terraform export: (kind, name, arguments)."""
    parsed = bare(hcl2.loads(exported("terraform", choices)))
    for each in parsed["resource"]:
        for kind, named in each.items():
            for name, arguments in named.items():
                yield kind, name, arguments


def names_in(arguments, within=""):
    for name, value in arguments.items():
        yield f"{within}{name}"
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for each in value:
                yield from names_in(each, f"{within}{name}.")


@every
def test_cloudformation_passes_cfn_lint(choices):
    from cfnlint.api import ManualArgs, lint  # seconds, which every process of a test run would pay

    regions = [choices.get("region", "us-east-1")]

    found = lint(exported("cloudformation", choices), config=ManualArgs(regions=regions))

    assert [str(each) for each in found] == []


@every
def test_terraform_has_only_resources_and_arguments_that_are_documented(choices):
    for kind, name, arguments in resources(choices):
        known = META | set(ARGUMENTS[kind].split())
        assert set(names_in(arguments)) <= known, (kind, name)
        assert set(REQUIRED.get(kind, "").split()) <= set(arguments), (kind, name)


@every
def test_terraform_refers_to_what_it_declares_and_to_nothing_later(choices):
    text = exported("terraform", choices)
    declared = set()

    for block in re.split(r"(?m)^resource ", text)[1:]:
        kind, name = re.findall(r'"([^"]+)"', block)[:2]
        assert set(re.findall(r"\b(aws_\w+\.\w+)\b", block)) <= declared
        declared.add(f"{kind}.{name}")


def test_terraform_knows_by_references_what_needs_what():
    text = exported("terraform", CHOICES["govcloud"])

    assert '"deadLetterTargetArn" = aws_sqs_queue.dead_letter_queue.arn' in text
    assert re.search(r"sns_topic_name += aws_sns_topic.topic.arn", text)
    assert re.search(r"kms_key_id += aws_kms_key.key.arn", text)
    assert re.search(r"queue_url += aws_sqs_queue.queue.id", text)


@every
@pytest.mark.parametrize("format_", FORMATS)
def test_the_words_of_the_plan_are_in_every_export(choices, format_):
    layout = Layout(Request(account=ACCOUNT, **choices))
    text = exported(format_, choices).replace("'\"'\"'", "'")

    for step in plan(layout.request, layout.found):
        if by_hand.declared(layout, step) or format_ == "cli":
            assert step.words in text, step.id


@every
def test_a_script_passes_shellcheck(choices):
    said = subprocess.run(
        [str(Path(sys.executable).with_name("shellcheck")), "--shell=sh", "-"],
        input=exported("cli", choices),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (said.returncode, said.stdout) == (0, "")


@every
@pytest.mark.parametrize(
    ("format_", "names", "parts"),
    [
        ("terraform", provider.RESOURCES, provider.PARTS),
        ("cloudformation", cloudformation.RESOURCES, cloudformation.PARTS),
    ],
)
def test_every_step_is_in_every_export_or_left_to_be_done_by_hand(choices, format_, names, parts):
    layout = Layout(Request(account=ACCOUNT, **choices))

    for step in plan(layout.request, layout.found):
        ours = by_hand.declared(layout, step)
        assert not ours or step.id in {*names, *parts}, step.id


def test_what_is_there_already_is_not_declared_but_told_of():
    for format_ in ("terraform", "cloudformation"):
        text = exported(format_, CHOICES["existing"])
        assert "BucketPolicy" not in text
        assert "aws_s3_bucket_policy" not in text
        assert "add to its policy, so that the policy of bucket acme-logs lets CloudTrail" in text
        assert "TrailcourierAclCheck" in text
        assert "TrailcourierQueue" in text  # for the key's policy


def test_no_export_holds_or_makes_a_secret_that_is_kept():
    terraform, template, script = (exported(each, CHOICES["default"]) for each in FORMATS)

    assert "aws_iam_access_key" not in terraform
    assert "AWS::IAM::AccessKey" not in template
    assert all("aws iam create-access-key" in each for each in (terraform, template))
    assert "umask 077 && aws iam create-access-key" in script


def test_an_external_id_is_asked_for_and_never_written():
    terraform, template, script = (exported(each, CHOICES["s3"]) for each in FORMATS)

    assert '"sts:ExternalId" = var.external_id' in terraform
    parsed = json.loads(template)
    assert parsed["Parameters"]["ExternalId"]["NoEcho"] is True
    trust = parsed["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]
    condition = trust["Statement"][0]["Condition"]
    assert condition == {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}
    assert "'\"$external_id\"'" in script
    assert "${external_id:?" in script


def test_log_files_and_their_key_outlive_a_stack():
    parsed = json.loads(exported("cloudformation", CHOICES["govcloud"]))["Resources"]

    assert {name for name, each in parsed.items() if each.get("DeletionPolicy") == "Retain"} == {
        "Bucket", "Key",
    }  # fmt: skip


def test_a_trail_waits_for_the_policies_that_it_needs():
    parsed = json.loads(exported("cloudformation", CHOICES["default"]))["Resources"]

    assert parsed["Trail"]["DependsOn"] == ["BucketPolicy", "TopicPolicy"]
    assert parsed["Trail"]["Properties"]["IsLogging"] is True


def test_a_bucket_in_another_region_than_the_stack_is_refused():
    with pytest.raises(ConfigError, match="in its own region only"):
        exported("cloudformation", {"bucket_region": "eu-west-1"})
    assert 'region = "eu-west-1"' in exported("terraform", {"bucket_region": "eu-west-1"})


def test_what_would_begin_a_template_is_written_twice_over():
    assert quoted("a${b}%{c}") == '"a$${b}%%{c}"'


def test_steps_for_other_accounts_are_in_each_export():
    for format_ in FORMATS:
        text = exported(format_, CHOICES["control-tower"])
        assert "sns add-permission --region eu-west-1" in text
        assert "For account 444455556666, whose bucket their-logs is" in text


@pytest.mark.parametrize("format_", FORMATS)
def test_the_same_request_gives_the_same_text(format_):
    assert exported(format_, CHOICES["s3"]) == exported(format_, CHOICES["s3"])
