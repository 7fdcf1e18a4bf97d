"""What all simulated events share: account, region, time, identity, the fields of a call."""

import random
import string
import uuid
from datetime import datetime
from typing import Any

Event = dict[str, Any]

ACCOUNTS = ("111122223333", "444455556666")
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")

_USERS = ("alice", "bob", "deploy", "auditor", "zoë", "山田")
ROLES = ("Administrator", "ci-deploy", "ReadOnly", "lambda-orders", "eks-node")
_AGENTS = (
    "aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/linux#6.1 lang/python#3.13",
    "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.8 lang/python#3.12 exec-env/AWS_Lambda",
    'APN/1.0 HashiCorp/1.0 Terraform/1.13.0 (+https://www.terraform.io) "quoted" \\ slashed',
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0",
)
_SERVICES = ("autoscaling", "elasticloadbalancing", "cloudtrail", "config", "trustedadvisor")


class EventContext:
    """The account, region and time of one file's events, and the random numbers for them."""

    def __init__(self, rng: random.Random, account: str, region: str, now: datetime) -> None:
        self.rng = rng
        self.account = account
        self.region = region
        self.now = now

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def letters(self, length: int, alphabet: str = string.ascii_uppercase + string.digits) -> str:
        return "".join(self.rng.choices(alphabet, k=length))

    def address(self) -> str:
        """Return an address that is reserved for documentation (RFC 5737)."""
        net = self.rng.choice(("192.0.2", "198.51.100", "203.0.113"))
        return f"{net}.{self.rng.randrange(1, 255)}"


def event_time(context: EventContext) -> str:
    """Return a time within 15 minutes before the context's."""
    then = context.now.timestamp() - context.rng.randrange(900)
    return datetime.fromtimestamp(then, context.now.tzinfo).strftime("%Y-%m-%dT%H:%M:%SZ")


def _identity(context: EventContext, kind: str) -> Event:
    account, key = context.account, f"AKIA{context.letters(16)}"
    match kind:
        case "Root":
            arn = f"arn:aws:iam::{account}:root"
            return {"type": kind, "principalId": account, "arn": arn, "accountId": account}
        case "IAMUser":
            user = context.rng.choice(_USERS)
            return {
                "type": kind,
                "principalId": f"AIDA{context.letters(17)}",
                "arn": f"arn:aws:iam::{account}:user/{user}",
                "accountId": account,
                "accessKeyId": key,
                "userName": user,
            }
        case "AWSService":
            return {"type": kind, "invokedBy": f"{context.rng.choice(_SERVICES)}.amazonaws.com"}
        case "AWSAccount":
            return {
                "type": kind,
                "principalId": f"AROA{context.letters(17)}:s",
                "accountId": account,
            }
        case _:
            return _role(context, account)


def _role(context: EventContext, account: str) -> Event:
    role, principal = context.rng.choice(ROLES), f"AROA{context.letters(17)}"
    session = f"session-{context.rng.randrange(10**6)}"
    return {
        "type": "AssumedRole",
        "principalId": f"{principal}:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        "accountId": account,
        "accessKeyId": f"ASIA{context.letters(16)}",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal,
                "arn": f"arn:aws:iam::{account}:role/{role}",
                "accountId": account,
                "userName": role,
            },
            "attributes": {"creationDate": event_time(context), "mfaAuthenticated": "false"},
        },
    }


def api_call(
    context: EventContext, identity_type: str, service: str, name: str, *, read: bool, **more: Any
) -> Event:
    """Return the event of one API call, with the fields that all have, and *more*."""
    identity = _identity(context, identity_type)
    host = f"{service}.{context.region}.amazonaws.com"
    return {
        "eventVersion": context.rng.choice(("1.08", "1.09", "1.10", "1.11")),
        "userIdentity": identity,
        "eventTime": event_time(context),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": context.region,
        "sourceIPAddress": identity.get("invokedBy", context.address()),
        "userAgent": identity.get("invokedBy", context.rng.choice(_AGENTS)),
        "requestParameters": None,
        "responseElements": None,
        "requestID": context.uuid(),
        "eventID": context.uuid(),
        "readOnly": read,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": context.account,
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": host,
        },
        **more,
    }
