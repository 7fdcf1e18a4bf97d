"""What everything is called and where it lies, from the request and what was found; pure."""

import msgspec

from trailcourier import regions
from trailcourier.provision.request import Encrypted, Form, Found, Request

UNKNOWN = "ACCOUNT"  # stands where the account is not known yet
TAG = "trailcourier"  # its value is the request's name
PATH = "/trailcourier/"  # of an IAM group, which can carry no tag


class Layout(msgspec.Struct, frozen=True):
    """Names and ARNs of one set-up."""

    request: Request
    found: Found = Found()

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def region(self) -> str:
        return self.request.region

    @property
    def partition(self) -> str:
        return regions.partition(self.region)

    @property
    def account(self) -> str:
        return self.request.account or self.found.account or UNKNOWN

    @property
    def bucket(self) -> str:
        return self.request.bucket or f"{self.name}-{self.account.lower()}-{self.region}"

    @property
    def bucket_region(self) -> str:
        """The region of the bucket: said, found, or the trail's own."""
        return self.request.bucket_region or self.found.bucket_region or self.region

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def foreign_bucket(self) -> bool:
        return self.request.bucket_account not in {"", self.account}

    @property
    def logs(self) -> str:
        """What the keys of log files begin with: all accounts' where there are several."""
        return f"{self.request.prefix}/AWSLogs/" if self.request.prefix else "AWSLogs/"

    @property
    def organization(self) -> str:
        return self.request.organization_id or self.found.organization_id or "ORGANIZATION"

    @property
    def trail_arn(self) -> str:
        return self.arn("cloudtrail", f"trail/{self.name}")

    @property
    def topic_arn(self) -> str:
        return self.request.topic or self.arn("sns", self.name)

    @property
    def topic_name(self) -> str:
        return self.topic_arn.rpartition(":")[2]

    @property
    def topic_region(self) -> str:
        return self.topic_arn.split(":")[3]

    @property
    def foreign_topic(self) -> bool:
        return self.topic_arn.split(":")[4] != self.account

    @property
    def queue(self) -> str:
        return self.name

    @property
    def queue_arn(self) -> str:
        return self.arn("sqs", self.queue)

    @property
    def dead(self) -> str:
        return f"{self.name}-dead"

    @property
    def rule_arn(self) -> str:
        return self.arn("events", f"rule/{self.name}")

    @property
    def role_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{self.name}"

    @property
    def user_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:user/{self.name}"

    @property
    def form(self) -> Form:
        """The form of the reader's policy: as asked for, else what the choices need."""
        if self.request.policy:
            return self.request.policy
        if self.foreign_bucket:
            return "cross-account"
        return "kms" if self.request.kms_key else "recommended"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def encrypted(self, what: Encrypted) -> bool:
        """Whether *what* is encrypted with the chosen KMS key."""
        return bool(self.request.kms_key) and what in self.request.encrypt

    def sid(self, what: str) -> str:
        """An id of a policy statement that is this set-up's alone; letters and digits only."""
        return f"{self.name.title().replace('-', '')}{what}"

    @property
    def tags(self) -> list[dict[str, str]]:
        return [{"Key": TAG, "Value": self.name}]
