"""Steps that setup cannot do itself: exact commands for another account, cluster or host; pure."""

import json
import shlex
from collections.abc import Iterator, Sequence

import msgspec

from trailcourier.provision import documents, policies
from trailcourier.provision.names import Layout
from trailcourier.provision.policies import Statement

EXTERNAL_ID = "EXTERNAL_ID"


class ManualStep(msgspec.Struct, frozen=True):
    """What *who* has to do: *commands* to run as they are, *statements* to add to a policy."""

    who: str
    why: str
    commands: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield the step as lines for a person to read."""
        yield f"For {self.who}: {self.why}"
        yield from (f"  {command}" for command in self.commands)
        yield from (f"  {json.dumps(statement)}" for statement in self.statements)


def list_manual_steps(layout: Layout) -> list[ManualStep]:
    """Return every step that somebody else has to do."""
    return [
        *_topic_steps(layout),
        *_bucket_steps(layout),
        *_key_steps(layout),
        *_reader_steps(layout),
    ]


def _topic_steps(layout: Layout) -> Iterator[ManualStep]:
    if layout.request.delivery != "sns" or not layout.topic_in_other_account:
        return
    owner = layout.topic_arn.split(":")[4]
    who = f"account {owner}, which owns topic {layout.topic_arn}"
    topic = ("--region", layout.topic_region, "--topic-arn", layout.topic_arn)
    raw = "true" if layout.request.raw else "false"
    yield ManualStep(
        who,
        f"allow account {layout.account} to subscribe; then run `trailcourier setup apply` again, "
        "which subscribes the queue",
        (
            _aws_command("sns", "add-permission", *topic, "--label", f"{layout.name}-subscribe",
                         "--aws-account-id", layout.account, "--action-name", "Subscribe"),
        ),
    )  # fmt: skip
    yield ManualStep(
        who,
        "or subscribe the queue yourselves. AWS then sends a confirmation to the queue; "
        "`trailcourier quarantine list` shows it once the collector has run, and "
        "`trailcourier quarantine show ID` prints the command that confirms it",
        (
            _aws_command("sns", "subscribe", *topic, "--protocol", "sqs",
                         "--notification-endpoint", layout.queue_arn,
                         "--attributes", f"RawMessageDelivery={raw}"),
        ),
    )  # fmt: skip
    if layout.request.trail:
        why = "add this statement to the topic's policy, which lets CloudTrail publish"
        yield ManualStep(who, why, statements=policies.topic_statements(layout))


def _bucket_steps(layout: Layout) -> Iterator[ManualStep]:
    if not layout.bucket_in_other_account:
        return
    who = f"account {layout.request.bucket_account}, which owns bucket {layout.bucket}"
    if layout.request.trail:
        why = "add these statements to the bucket's policy, which let CloudTrail write"
        yield ManualStep(who, why, statements=policies.bucket_statements(layout))
    if layout.request.bucket_role:
        yield ManualStep(who, _WHY_A_ROLE, tuple(_bucket_role_commands(layout)))
        return
    why = "add these statements to the bucket's policy, which let the collector read"
    statements = policies.bucket_reader_statements(layout, reader_arn(layout))
    yield ManualStep(who, why, statements=statements)


_WHY_A_ROLE = (
    "create the role that the collector assumes to read the bucket; replace "
    f"{EXTERNAL_ID} with the value that --external-id names"
)


def _bucket_role_commands(layout: Layout) -> Iterator[str]:
    """Yield the commands that create the role in the bucket's account.

    The principal that assumes it has to exist first: IAM refuses a trust policy without it.
    """
    name = layout.request.bucket_role.rpartition("/")[2]
    trust = documents.policy_document(
        (policies.assume_role_statement(assuming_principal(layout), EXTERNAL_ID),)
    )
    permissions = documents.policy_document(policies.bucket_role_statements(layout))
    yield _aws_command("iam", "create-role", "--role-name", name,
                       "--assume-role-policy-document", json.dumps(trust))  # fmt: skip
    yield _aws_command("iam", "put-role-policy", "--role-name", name,
                       "--policy-name", layout.name,
                       "--policy-document", json.dumps(permissions))  # fmt: skip


def _key_steps(layout: Layout) -> Iterator[ManualStep]:
    arn = layout.request.kms_key.split(":")
    if len(arn) < 5 or arn[4] == layout.account:  # no key, a new one, or one of this account
        return
    why = "add these statements to the key's policy, which let the collector decrypt"
    statements: Sequence[Statement] = policies.key_statements(layout)
    if not layout.request.bucket_role or layout.encrypts("queue"):
        reader = policies.key_reader_statements(layout, reader_arn(layout))
        statements = (*statements, *reader)
    who = f"account {arn[4]}, which owns key {layout.request.kms_key}"
    yield ManualStep(who, why, statements=tuple(statements))


def _reader_steps(layout: Layout) -> Iterator[ManualStep]:
    match layout.request.reader:
        case "instance-profile":
            yield _instance_step(layout)
        case "pod-identity":
            yield ManualStep(
                "the cluster that the collector runs in",
                "associate its service account with the role",
                (
                    _aws_command("eks", "create-pod-identity-association",
                                 "--cluster-name", "CLUSTER", "--namespace", "NAMESPACE",
                                 "--service-account", "SERVICE_ACCOUNT",
                                 "--role-arn", layout.role_arn),
                ),
            )  # fmt: skip
        case "cross-account":
            yield _cross_account_step(layout)
        case "user" | "none":
            return


def _instance_step(layout: Layout) -> ManualStep:
    return ManualStep(
        "the instance that the collector runs on",
        "attach the instance profile. The hop limit of 2 lets a container on the instance reach "
        "the metadata service, which is one hop further away from it",
        (
            _aws_command("ec2", "associate-iam-instance-profile", "--instance-id", "INSTANCE",
                         "--iam-instance-profile", f"Name={layout.name}"),
            _aws_command("ec2", "modify-instance-metadata-options", "--instance-id", "INSTANCE",
                         "--http-tokens", "required", "--http-put-response-hop-limit", "2"),
        ),
    )  # fmt: skip


def _cross_account_step(layout: Layout) -> ManualStep:
    roles = [layout.role_arn, *filter(None, [layout.request.bucket_role])]
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Resource": roles if len(roles) > 1 else roles[0],
    }
    noun = "roles" if len(roles) > 1 else "role"
    why = f"add this statement to a policy of yours, which lets you assume the {noun}"
    return ManualStep(layout.request.principal, why, statements=(statement,))


def reader_arn(layout: Layout) -> str:
    """Return the principal that the collector reads as."""
    match layout.request.reader:
        case "user":
            return layout.user_arn
        case "none":
            return f"arn:{layout.partition}:iam::{layout.account}:root"
        case _:
            return layout.role_arn


def assuming_principal(layout: Layout) -> str:
    """Return the principal that assumes the bucket's role: the collector before any role."""
    if layout.request.reader == "cross-account":
        return layout.request.principal
    return reader_arn(layout)


def _aws_command(*words: str) -> str:
    return shlex.join(("aws", *words))
