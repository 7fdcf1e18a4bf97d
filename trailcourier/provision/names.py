"""Names, ARNs and regions of everything in a set-up, from the request and the facts; pure."""

import msgspec

from trailcourier.aws import regions
from trailcourier.provision.merge_rules import GROUP_PATH, TAG
from trailcourier.provision.request import AccountFacts, Encrypted, PolicyForm, SetupRequest

UNKNOWN_ACCOUNT = "ACCOUNT"  # stands for the account id until that is known


class Layout(msgspec.Struct, frozen=True):
    """Names and ARNs of one set-up."""

    request: SetupRequest
    facts: AccountFacts = AccountFacts()

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def region(self) -> str:
        return self.request.region

    @property
    def partition(self) -> str:
        return regions.partition_of(self.region)

    @property
    def account(self) -> str:
        return self.request.account or self.facts.account or UNKNOWN_ACCOUNT

    @property
    def bucket(self) -> str:
        # in capitals until the account is known: no bucket has such a name
        return self.request.bucket or f"{self.name}-{self.account}-{self.region}"

    @property
    def bucket_region(self) -> str:
        """The bucket's region: as requested, as AWS says, or the trail's."""
        return self.request.bucket_region or self.facts.bucket_region or self.region

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def bucket_in_other_account(self) -> bool:
        return self.request.bucket_account not in {"", self.account}

    @property
    def log_prefix(self) -> str:
        """The prefix that the keys of all log files share, whatever their account."""
        return f"{self.request.prefix}/AWSLogs/" if self.request.prefix else "AWSLogs/"

    @property
    def organization(self) -> str:
        return self.request.organization_id or self.facts.organization_id or "ORGANIZATION"

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
    def topic_in_other_account(self) -> bool:
        return self.topic_arn.split(":")[4] != self.account

    @property
    def queue(self) -> str:
        return self.name

    @property
    def queue_arn(self) -> str:
        return self.arn("sqs", self.queue)

    @property
    def dead_letter_queue(self) -> str:
        return f"{self.name}-dead"

    @property
    def rule_arn(self) -> str:
        return self.arn("events", f"rule/{self.name}")

    @property
    def role_arn(self) -> str:
        return self.iam_arn("role")

    @property
    def user_arn(self) -> str:
        return self.iam_arn("user")

    @property
    def policy_form(self) -> PolicyForm:
        """The form of the collector's policy: as requested, else what the options need."""
        if self.request.policy:
            return self.request.policy
        if self.bucket_in_other_account:
            return "cross-account"
        return "kms" if self.request.kms_key else "recommended"

    @property
    def trail_keys(self) -> tuple[str, ...]:
        """The KMS keys of the trails that exist and write to the bucket."""
        if self.request.trail:
            return ()
        found = (each.key for each in self.facts.trails if each.bucket == self.bucket)
        return tuple(dict.fromkeys(each for each in found if ":key/" in each))

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def iam_arn(self, kind: str, path: str = "") -> str:
        """Return the ARN of our identity of this *kind*, below *path* or the requested path."""
        named = f"{kind}{path or self.request.path}{self.name}"
        return f"arn:{self.partition}:iam::{self.account}:{named}"

    @property
    def group_path(self) -> str:
        """The path of our IAM group; its last part stands for the tag that a group cannot have."""
        return self.request.path.rstrip("/") + GROUP_PATH

    def encrypts(self, what: Encrypted) -> bool:
        """Return whether the requested KMS key encrypts *what*."""
        return bool(self.request.kms_key) and what in self.request.encrypt

    def statement_id(self, what: str) -> str:
        """Return a Sid that only this set-up uses; a Sid takes letters and digits only."""
        return f"{self.name.title().replace('-', '')}{what}"

    @property
    def tags(self) -> list[dict[str, str]]:
        further = (each.partition("=") for each in self.request.tag)
        pairs = ((TAG, self.name), *((key, value) for key, _, value in further))
        return [{"Key": key, "Value": value} for key, value in pairs]
