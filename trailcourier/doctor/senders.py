"""Whether a service may publish to a topic, send to a queue, and use the key that encrypts it."""

from trailcourier.aws.calls import AwsCall
from trailcourier.doctor import aws_findings, policies, statements
from trailcourier.doctor.finding import Finding
from trailcourier.doctor.policies import PolicyQuestion
from trailcourier.doctor.subject import Subject


def judge_policy(id_: str, policy: str, request: PolicyQuestion) -> Finding:
    """Return the finding about whether *policy* allows *request*."""
    what = f"{request.service} {request.action} on {request.resource} for {request.source}"
    match policies.allows(policy, request):
        case "yes":
            return Finding("ok", id_, f"the policy allows {what}")
        case "unknown":
            text = f"whether the policy allows {what} depends on conditions unknown to doctor"
            fix = f"Check the conditions; this statement allows it: {allow_sender(request)}"
            return Finding("not-checked", id_, text, fix)
        case "no" if denial := policies.denying(policy, request):
            text = f"a statement of the policy ({denial}) denies {what}"
            fix = (
                f"Except AWS's services from that statement of {request.resource}: add "
                '"BoolIfExists": {"aws:PrincipalIsAWSService": "false"} to its Condition.'
            )
            return Finding("error", id_, text, fix)
        case "no":
            fix = f"Add to the policy of {request.resource}: {allow_sender(request)}"
            return Finding("error", id_, f"the policy does not allow {what}", fix)


def allow_sender(request: PolicyQuestion) -> str:
    """Return the statement that allows *request*, as JSON."""
    principal = {"Service": request.service}
    if request.action.startswith("kms:"):  # in a key's policy, "*" means this key
        return statements.allow_statement(
            ["kms:GenerateDataKey*", "kms:Decrypt"], "*", Principal=principal
        )
    return statements.allow_statement(
        [request.action],
        request.resource,
        Principal=principal,
        Condition={"ArnEquals": {"aws:SourceArn": request.source}},
    )


def check_key(subject: Subject, key: str, encrypted: str, service: str) -> Finding:
    """Check whether *service* may use *key*, which encrypts the topic or queue *encrypted*."""
    region = statements.arn_region(encrypted)
    if key.endswith("alias/aws/sns"):
        text = f"{encrypted} is encrypted with alias/aws/sns, which {service} may not use"
        return Finding(
            "error",
            "TC407",
            text,
            "Encrypt the topic with a customer key that allows it, or not at all.",
        )
    described = subject.ask_once(AwsCall("kms", "DescribeKey", region, key, {"KeyId": key}))
    arn = described.response["KeyMetadata"]["Arn"] if described.good else key
    given = {"KeyId": arn, "PolicyName": "default"}
    answer = subject.ask_once(AwsCall("kms", "GetKeyPolicy", region, arn, given))
    if answer.good:
        request = PolicyQuestion(service, "kms:GenerateDataKey", arn, encrypted)
        return judge_policy("TC407", answer.response["Policy"], request)
    lost = f"whether {service} may use this key, which encrypts {encrypted}, is not known"
    return aws_findings.not_seen_finding(subject, answer, "TC407", lost)
