"""What cannot be done from here: exact steps for another account, cluster or instance; pure."""

import json
import shlex
from collections.abc import Iterator, Sequence

import msgspec

from trailcourier.provision import documents, policies
from trailcourier.provision.layout import Layout
from trailcourier.provision.policies import Statement

EXTERNAL_ID = "EXTERNAL_ID"


class Elsewhere(msgspec.Struct, frozen=True):
    """Steps for *who*: *commands* to run as they are, *statements* to add to a policy."""

    who: str
    why: str
    commands: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()

    def lines(self) -> Iterator[str]:
        """As a person reads them."""
        yield f"For {self.who}: {self.why}"
        yield from (f"  {command}" for command in self.commands)
        yield from (f"  {json.dumps(statement)}" for statement in self.statements)


def elsewhere(layout: Layout) -> list[Elsewhere]:
    """Return every step that somebody else has to do."""
    return [*_topic(layout), *_bucket(layout), *_key(layout), *_host(layout)]


def _topic(layout: Layout) -> Iterator[Elsewhere]:
    if layout.request.delivery != "sns" or not layout.foreign_topic:
        return
    owner = layout.topic_arn.split(":")[4]
    who = f"account {owner}, whose topic {layout.topic_arn} is"
    topic = ("--region", layout.topic_region, "--topic-arn", layout.topic_arn)
    raw = "true" if layout.request.raw else "false"
    yield Elsewhere(
        who,
        f"let account {layout.account} subscribe, after which `trailcourier setup apply` does it",
        (
            _aws("sns", "add-permission", *topic, "--label", f"{layout.name}-subscribe",
                 "--aws-account-id", layout.account, "--action-name", "Subscribe"),
        ),
    )  # fmt: skip
    yield Elsewhere(
        who,
        "or subscribe the queue yourselves. AWS then puts a confirmation into the queue; "
        "`trailcourier quarantine list` shows it once the collector has run, and "
        "`trailcourier quarantine show ID` prints the command that confirms it",
        (
            _aws("sns", "subscribe", *topic, "--protocol", "sqs", "--notification-endpoint",
                 layout.queue_arn, "--attributes", f"RawMessageDelivery={raw}"),
        ),
    )  # fmt: skip
    if layout.request.trail:
        why = "add this statement to the topic's policy, so that CloudTrail may publish"
        yield Elsewhere(who, why, statements=policies.topic(layout))


def _bucket(layout: Layout) -> Iterator[Elsewhere]:
    if not layout.foreign_bucket:
        return
    who = f"account {layout.request.bucket_account}, whose bucket {layout.bucket} is"
    if layout.request.trail:
        why = "add these statements to the bucket's policy, so that CloudTrail may write"
        yield Elsewhere(who, why, statements=policies.bucket(layout))
    if layout.request.bucket_role:
        yield Elsewhere(who, _WHY_A_ROLE, tuple(_role(layout)))
        return
    why = "add these statements to the bucket's policy, so that the collector may read"
    yield Elsewhere(who, why, statements=policies.bucket_for(layout, reader_arn(layout)))


_WHY_A_ROLE = (
    f"make the role that the collector takes to read the bucket; {EXTERNAL_ID} stands for what "
    "--external-id names"
)


def _role(layout: Layout) -> Iterator[str]:
    """Say how the bucket's own account makes the role; once its taker exists, or IAM refuses."""
    name = layout.request.bucket_role.rpartition("/")[2]
    trust = documents.policy((policies.taken_by(taker_arn(layout), EXTERNAL_ID),))
    may = documents.policy(policies.bucket_reader(layout))
    yield _aws("iam", "create-role", "--role-name", name,
               "--assume-role-policy-document", json.dumps(trust))  # fmt: skip
    yield _aws("iam", "put-role-policy", "--role-name", name, "--policy-name", layout.name,
               "--policy-document", json.dumps(may))  # fmt: skip


def _key(layout: Layout) -> Iterator[Elsewhere]:
    named = layout.request.kms_key.split(":")
    if len(named) < 5 or named[4] == layout.account:  # none, or one of our own
        return
    why = "add these statements to the key's policy, so that the collector may decrypt"
    statements: Sequence[Statement] = policies.key(layout)
    if not layout.request.bucket_role or layout.encrypted("queue"):
        statements = (*statements, *policies.key_for(layout, reader_arn(layout)))
    who = f"account {named[4]}, whose key {layout.request.kms_key} is"
    yield Elsewhere(who, why, statements=tuple(statements))


def _host(layout: Layout) -> Iterator[Elsewhere]:
    match layout.request.reader:
        case "instance-profile":
            yield Elsewhere(
                "the instance that the collector runs on",
                "give it the profile; in a container on it, the metadata service is one hop "
                "further away",
                (
                    _aws("ec2", "associate-iam-instance-profile", "--instance-id", "INSTANCE",
                         "--iam-instance-profile", f"Name={layout.name}"),
                    _aws("ec2", "modify-instance-metadata-options", "--instance-id", "INSTANCE",
                         "--http-tokens", "required", "--http-put-response-hop-limit", "2"),
                ),
            )  # fmt: skip
        case "pod-identity":
            yield Elsewhere(
                "the cluster that the collector runs in",
                "give its service account the role",
                (
                    _aws("eks", "create-pod-identity-association", "--cluster-name", "CLUSTER",
                         "--namespace", "NAMESPACE", "--service-account", "SERVICE_ACCOUNT",
                         "--role-arn", layout.role_arn),
                ),
            )  # fmt: skip
        case "cross-account":
            roles = [layout.role_arn, *filter(None, [layout.request.bucket_role])]
            may = {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Resource": roles if len(roles) > 1 else roles[0],
            }
            what = "the roles" if len(roles) > 1 else "the role"
            yield Elsewhere(
                layout.request.principal,
                f"a policy of its own has to let it take {what}",
                statements=(may,),
            )
        case "user" | "none":
            return


def reader_arn(layout: Layout) -> str:
    """As whom the collector reads."""
    match layout.request.reader:
        case "user":
            return layout.user_arn
        case "none":
            return f"arn:{layout.partition}:iam::{layout.account}:root"
        case _:
            return layout.role_arn


def taker_arn(layout: Layout) -> str:
    """Who takes the bucket's role: the collector itself, before it takes any."""
    if layout.request.reader == "cross-account":
        return layout.request.principal
    return reader_arn(layout)


def _aws(*words: str) -> str:
    return shlex.join(("aws", *words))
