"""The EventBridge rules that may send to the queue: whether they are on, and target it."""

from collections.abc import Sequence

from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.doctor import aws_findings, queue, statements
from trailcourier.doctor.finding import Finding, Level
from trailcourier.doctor.subject import Subject


def check_rules(subject: Subject, rules: Sequence[str], level: Level) -> Finding:
    """Check *rules*, ARNs; one that works is enough.  *level* is for rules of which none does."""
    found = [_check_rule(subject, rule, level) for rule in rules]
    order: Sequence[Level] = ("ok", "not-checked", "warning", "error")
    return min(found, key=lambda each: order.index(each.level))


def _check_rule(subject: Subject, rule: str, level: Level) -> Finding:
    described, targets = subject.ask_all(
        [_call(rule, "DescribeRule", "Name"), _call(rule, "ListTargetsByRule", "Rule")]
    )
    for answer in (described, targets):
        if "ResourceNotFoundException" in answer.codes:
            fix = "Create the rule again: `trailcourier setup apply --delivery eventbridge` does."
            return Finding(level, "TC408", f"the EventBridge rule {rule} does not exist", fix)
        if not answer.good:
            lost = "whether the EventBridge rule is on and targets this queue is not known"
            return aws_findings.not_seen_finding(subject, answer, "TC408", lost)
    if described.response.get("State") == "DISABLED":
        text = f"the EventBridge rule {rule} is disabled, so it sends nothing to the queue"
        return Finding(level, "TC408", text, f"Enable it: {_command(rule, 'enable-rule', 'name')}")
    return _judge_targets(subject, rule, targets, level)


def _judge_targets(subject: Subject, rule: str, targets: AwsAnswer, level: Level) -> Finding:
    arn = queue.read_attributes(subject).arn(subject)
    if any(each["Arn"] == arn for each in targets.response.get("Targets", [])):
        return Finding("ok", "TC408", f"the EventBridge rule {rule} is on and targets this queue")
    text = f"the EventBridge rule {rule} does not target this queue"
    command = _command(rule, "put-targets", "rule")
    return Finding(level, "TC408", text, f"Add it: {command} --targets Id=trailcourier,Arn={arn}")


def _names(rule: str) -> tuple[str, str]:
    """Return the names of the rule and of its bus, which is empty for the default one."""
    bus, _, name = rule.rpartition(":")[2].removeprefix("rule/").rpartition("/")
    return name, bus


def _call(rule: str, operation: str, parameter: str) -> AwsCall:
    name, bus = _names(rule)
    given = {parameter: name} | ({"EventBusName": bus} if bus else {})
    return AwsCall("events", operation, statements.arn_region(rule), rule, given)


def _command(rule: str, verb: str, parameter: str) -> str:
    name, bus = _names(rule)
    where = f" --event-bus-name {bus}" if bus else ""
    return f"aws events {verb} --{parameter} {name}{where} --region {statements.arn_region(rule)}"
