"""Exports: the same plan for CloudFormation, Terraform and a shell.

Terraform itself is not run: its provider would have to be downloaded. The tests compare the names
with those that the provider documents, and follow the references.
"""

import graphlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.terraform_documented import ARGUMENTS, META, REQUIRED
from trailcourier.errors import ConfigError
from trailcourier.provision import Layout, SetupRequest, plan
from trailcourier.provision.export import FORMATS, by_hand, provider, stack_resources
from trailcourier.provision.export.terraform import module

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/abc"
ROLE = "arn:aws:iam::444455556666:role/collector"
THEIRS = "arn:aws:sns:eu-west-1:444455556666:aws-controltower-AllConfigNotifications"
OPTIONS = {
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
    "retained": {"lock_days": 30, "expire_days": 400, "path": "/security/",
                 "tag": ("team=sec ops",),
                 "permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/limits"},
    "china": {"region": "cn-north-1", "reader": "instance-profile"},
}  # fmt: skip
every = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def exported(format_, options):
    layout = Layout(SetupRequest(account=ACCOUNT, **options))
    return FORMATS[format_](layout, plan(layout.request, layout.facts))


def terraform(options):
    return json.loads(exported("terraform", options))


def resources(options):
    """Yield the resources of the Terraform export: (type, name, arguments)."""
    for kind, named in terraform(options)["resource"].items():
        for name, arguments in named.items():
            yield kind, name, {each: arguments[each] for each in arguments if each != "//"}


def references_in(arguments, documents):
    """Return the addresses of the resources that *arguments* and their documents refer to."""
    text = json.dumps(arguments)
    named = re.findall(r"\blocal\.(\w+)", text)
    text += json.dumps([documents[name] for name in named])
    return set(re.findall(r"\b(aws_\w+\.\w+)\b", text))


def names_in(arguments, within=""):
    """Yield the names of arguments, of nested blocks and of the arguments in those."""
    for name, value in arguments.items():
        yield f"{within}{name}"
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                yield from names_in(each, f"{within}{name}.")


@every
def test_cloudformation_passes_cfn_lint(options):
    from cfnlint.api import (  # the import takes seconds, and every test process would pay
        ManualArgs,
        lint,
    )

    regions = [options.get("region", "us-east-1")]

    found = lint(exported("cloudformation", options), config=ManualArgs(regions=regions))

    assert [str(each) for each in found] == []


@every
def test_terraform_uses_only_documented_resources_and_arguments(options):
    for kind, name, arguments in resources(options):
        known = META | set(ARGUMENTS[kind].split())
        assert set(names_in(arguments)) <= known, (kind, name)
        assert set(REQUIRED.get(kind, "").split()) <= set(arguments), (kind, name)


@every
def test_terraform_refers_only_to_what_it_declares_and_in_no_circle(options):
    documents = terraform(options)["locals"]
    graph = {
        f"{kind}.{name}": references_in(arguments, documents)
        for kind, name, arguments in resources(options)
    }

    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError
    assert set().union(*graph.values()) <= set(graph)


def test_terraform_refers_to_resources_in_arguments_and_documents():
    parsed = terraform(OPTIONS["govcloud"])
    declared = parsed["resource"]
    queue = declared["aws_sqs_queue"]["queue"]

    assert queue["redrive_policy"] == "${jsonencode(local.queue_redrive_policy)}"
    assert parsed["locals"]["queue_redrive_policy"] == {
        "deadLetterTargetArn": "${aws_sqs_queue.dead_letter_queue.arn}",
        "maxReceiveCount": 10,
    }
    trail = declared["aws_cloudtrail"]["trail"]
    assert trail["sns_topic_name"] == "${aws_sns_topic.topic.arn}"
    assert trail["kms_key_id"] == "${aws_kms_key.key.arn}"
    assert trail["depends_on"] == [
        "aws_s3_bucket_policy.bucket_policy", "aws_sns_topic_policy.topic_policy",
    ]  # fmt: skip
    policy = declared["aws_sqs_queue_policy"]["queue_policy"]
    assert policy["queue_url"] == "${aws_sqs_queue.queue.id}"


@every
def test_every_document_of_terraform_is_used(options):
    text = json.dumps(terraform(options)["resource"])

    for name in terraform(options)["locals"]:
        assert f"${{jsonencode(local.{name})}}" in text


def test_terraform_takes_the_account_and_the_tag_from_the_provider_block():
    provider_block = terraform(OPTIONS["default"])["provider"]["aws"]

    assert provider_block == {
        "region": "us-east-1",
        "allowed_account_ids": [ACCOUNT],
        "default_tags": {"tags": {"trailcourier": "trailcourier"}},
    }


@every
@pytest.mark.parametrize("format_", FORMATS)
def test_every_export_has_the_summaries_of_the_plan(options, format_):
    layout = Layout(SetupRequest(account=ACCOUNT, **options))
    text = exported(format_, options).replace("'\"'\"'", "'")

    for step in plan(layout.request, layout.facts):
        if by_hand.is_declared(layout, step) or format_ == "cli":
            assert step.summary in text, step.id


@every
def test_a_script_passes_shellcheck(options):
    linted = subprocess.run(
        [str(Path(sys.executable).with_name("shellcheck")), "--shell=sh", "-"],
        input=exported("cli", options),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (linted.returncode, linted.stdout) == (0, "")


@every
@pytest.mark.parametrize(
    ("format_", "names", "parts"),
    [
        ("terraform", provider.RESOURCES, provider.PARTS),
        ("cloudformation", stack_resources.RESOURCES, stack_resources.PARTS),
    ],
)
def test_every_step_is_in_every_export_or_in_its_notes(options, format_, names, parts):
    layout = Layout(SetupRequest(account=ACCOUNT, **options))

    for step in plan(layout.request, layout.facts):
        ours = by_hand.is_declared(layout, step)
        assert not ours or step.id in {*names, *parts}, step.id


def test_existing_resources_are_not_declared_but_in_the_notes():
    for format_ in ("terraform", "cloudformation"):
        text = exported(format_, OPTIONS["existing"])
        assert "BucketPolicy" not in text
        assert "aws_s3_bucket_policy" not in text
        assert (
            "Add these statements to the existing policy, so that the policy of bucket acme-logs"
            in text
        )
        assert "TrailcourierAclCheck" in text
        assert "TrailcourierQueue" in text  # for the key's policy


def test_no_export_stores_a_secret():
    configuration, template, script = (exported(each, OPTIONS["default"]) for each in FORMATS)

    assert "aws_iam_access_key" not in configuration
    assert "AWS::IAM::AccessKey" not in template
    assert all("aws iam create-access-key" in each for each in (configuration, template))
    assert "umask 077 && aws iam create-access-key" in script


def test_an_external_id_is_a_parameter_and_never_written():
    configuration, template, script = (exported(each, OPTIONS["s3"]) for each in FORMATS)

    parsed = json.loads(configuration)
    assert parsed["variable"] == {"external_id": {"type": "string", "sensitive": True}}
    (trust,) = parsed["locals"]["role_assume_role_policy"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "${var.external_id}"}}
    parsed = json.loads(template)
    assert parsed["Parameters"]["ExternalId"]["NoEcho"] is True
    trust = parsed["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]
    condition = trust["Statement"][0]["Condition"]
    assert condition == {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}
    assert "'\"$external_id\"'" in script
    assert "${external_id:?" in script


def test_log_files_and_their_key_are_retained_when_a_stack_is_deleted():
    parsed = json.loads(exported("cloudformation", OPTIONS["govcloud"]))["Resources"]

    assert {name for name, each in parsed.items() if each.get("DeletionPolicy") == "Retain"} == {
        "Bucket", "Key",
    }  # fmt: skip


def test_a_trail_depends_on_the_policies_that_it_needs():
    parsed = json.loads(exported("cloudformation", OPTIONS["default"]))["Resources"]

    assert parsed["Trail"]["DependsOn"] == ["BucketPolicy", "TopicPolicy"]
    assert parsed["Trail"]["Properties"]["IsLogging"] is True


def test_a_bucket_that_notifies_the_queue_depends_on_the_queues_policy():
    parsed = json.loads(exported("cloudformation", OPTIONS["s3"]))["Resources"]

    assert parsed["Bucket"]["DependsOn"] == ["QueuePolicy"]
    for other in ("default", "eventbridge"):
        bucket = json.loads(exported("cloudformation", OPTIONS[other]))["Resources"]["Bucket"]
        assert "DependsOn" not in bucket


def test_a_template_has_outputs_and_says_how_to_make_a_link_to_its_form():
    parsed = json.loads(exported("cloudformation", OPTIONS["govcloud"]))

    assert set(parsed["Outputs"]) == {
        "QueueUrl", "QueueArn", "BucketName", "BucketRegion", "TopicArn", "TrailArn", "KeyArn",
        "ReaderArn",
    }  # fmt: skip
    link = "console.amazonaws-us-gov.com/cloudformation/home?region=us-gov-west-1#/stacks/quick"
    assert link in parsed["Metadata"]["QuickCreate"]


@every
def test_terraform_keeps_log_files_and_their_key_and_has_outputs(options):
    parsed = terraform(options)

    kept = {
        kind
        for kind, _, arguments in resources(options)
        if arguments.get("lifecycle") == {"prevent_destroy": True}
    }
    assert kept == {"aws_s3_bucket", "aws_kms_key"} & parsed["resource"].keys()
    assert parsed["output"]["queue_url"]["value"] == "${aws_sqs_queue.queue.id}"
    for kind, name in re.findall(r"\$\{(aws_\w+)\.(\w+)", json.dumps(parsed["output"])):
        assert name in parsed["resource"][kind]


def test_a_module_leaves_the_provider_to_its_caller_and_tags_each_resource():
    layout = Layout(SetupRequest(account=ACCOUNT, **OPTIONS["retained"]))

    files = module(layout, plan(layout.request, layout.facts))

    parsed = {name: json.loads(text) for name, text in files.items()}
    assert set(files) == {"main.tf.json", "outputs.tf.json", "versions.tf.json"}
    assert not any("provider" in each for each in parsed.values())
    tags = {"trailcourier": "trailcourier", "team": "sec ops"}
    for kind, named in parsed["main.tf.json"]["resource"].items():
        for body in named.values():
            assert body.get("tags") == (tags if "tags" in ARGUMENTS[kind].split() else None)
    assert parsed["outputs.tf.json"]["output"]["reader_arn"]["value"] == "${aws_iam_user.user.arn}"


def test_a_bucket_in_another_region_than_the_stack_is_refused():
    with pytest.raises(ConfigError, match="in its own region only"):
        exported("cloudformation", {"bucket_region": "eu-west-1"})
    declared = terraform({"bucket_region": "eu-west-1"})["resource"]
    assert declared["aws_s3_bucket"]["bucket"]["region"] == "eu-west-1"


def test_literal_text_that_looks_like_a_template_is_escaped():
    trail = terraform({"data_events": ("a${b}%{c}",)})["resource"]["aws_cloudtrail"]["trail"]

    (data_resource,) = trail["event_selector"]["data_resource"]
    assert data_resource["values"] == ["arn:aws:s3:::a$${b}%%{c}/"]


def test_steps_for_other_accounts_are_in_each_export():
    for format_ in FORMATS:
        text = exported(format_, OPTIONS["control-tower"])
        assert "sns add-permission --region eu-west-1" in text
        assert "For account 444455556666, which owns bucket their-logs" in text


@pytest.mark.parametrize("format_", FORMATS)
def test_the_same_request_gives_the_same_text(format_):
    assert exported(format_, OPTIONS["s3"]) == exported(format_, OPTIONS["s3"])
