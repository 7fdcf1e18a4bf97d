"""What all simulated events share: where and when, who, and the fields of a call."""

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


class Scene:
    """Where and when one file's events happen, and the random numbers that make them."""

    def __init__(self, rng: random.Random, account: str, region: str, now: datetime) -> None:
        self.rng = rng
        self.account = account
        self.region = region
        self.now = now

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def letters(self, length: int, of: str = string.ascii_uppercase + string.digits) -> str:
        return "".join(self.rng.choices(of, k=length))

    def address(self) -> str:
        """An address that documentation may use (RFC 5737)."""
        net = self.rng.choice(("192.0.2", "198.51.100", "203.0.113"))
        return f"{net}.{self.rng.randrange(1, 255)}"


def time(scene: Scene) -> str:
    then = scene.now.timestamp() - scene.rng.randrange(900)
    return datetime.fromtimestamp(then, scene.now.tzinfo).strftime("%Y-%m-%dT%H:%M:%SZ")


def _identity(scene: Scene, kind: str) -> Event:
    account, key = scene.account, f"AKIA{scene.letters(16)}"
    match kind:
        case "Root":
            arn = f"arn:aws:iam::{account}:root"
            return {"type": kind, "principalId": account, "arn": arn, "accountId": account}
        case "IAMUser":
            user = scene.rng.choice(_USERS)
            return {
                "type": kind,
                "principalId": f"AIDA{scene.letters(17)}",
                "arn": f"arn:aws:iam::{account}:user/{user}",
                "accountId": account,
                "accessKeyId": key,
                "userName": user,
            }
        case "AWSService":
            return {"type": kind, "invokedBy": f"{scene.rng.choice(_SERVICES)}.amazonaws.com"}
        case "AWSAccount":
            return {"type": kind, "principalId": f"AROA{scene.letters(17)}:s", "accountId": account}
        case _:
            return _role(scene, account)


def _role(scene: Scene, account: str) -> Event:
    role, principal = scene.rng.choice(ROLES), f"AROA{scene.letters(17)}"
    session = f"session-{scene.rng.randrange(10**6)}"
    return {
        "type": "AssumedRole",
        "principalId": f"{principal}:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        "accountId": account,
        "accessKeyId": f"ASIA{scene.letters(16)}",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal,
                "arn": f"arn:aws:iam::{account}:role/{role}",
                "accountId": account,
                "userName": role,
            },
            "attributes": {"creationDate": time(scene), "mfaAuthenticated": "false"},
        },
    }


def call(scene: Scene, who: str, service: str, name: str, *, read: bool, **more: Any) -> Event:
    """One API call, with what all have."""
    identity = _identity(scene, who)
    host = f"{service}.{scene.region}.amazonaws.com"
    return {
        "eventVersion": scene.rng.choice(("1.08", "1.09", "1.10", "1.11")),
        "userIdentity": identity,
        "eventTime": time(scene),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": scene.region,
        "sourceIPAddress": identity.get("invokedBy", scene.address()),
        "userAgent": identity.get("invokedBy", scene.rng.choice(_AGENTS)),
        "requestParameters": None,
        "responseElements": None,
        "requestID": scene.uuid(),
        "eventID": scene.uuid(),
        "readOnly": read,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": scene.account,
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": host,
        },
        **more,
    }
