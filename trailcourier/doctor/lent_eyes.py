"""Another AWS profile, which looks where AWS denies the source's own credentials.

The collector's credentials can read the queue and the bucket; most causes lie on the AWS side,
which they cannot see.  ``doctor --profile NAME`` lends doctor the eyes of an administrator for
that.  What the line itself does is never tried with it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from trailcourier.aws import calls
from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.doctor import deadlines
from trailcourier.errors import Fault

OWN = frozenset(
    {
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"),
        *("s3:GetObject", "s3:HeadObject", "kms:Decrypt", "sts:GetCallerIdentity"),
    }
)
"""What the line does: only the source's own credentials can show whether they may do it."""
BLIND = frozenset(
    {
        *("access-denied", "queue-denied", "credentials", "instance-metadata"),
        *("network", "not-aws", "clock-skew"),
    }
)


def make_within(seconds: float, call: AwsCall, open_client: Callable[[], Any]) -> AwsAnswer:
    """Make *call* with a timeout of *seconds*; without an answer in time it has a fault."""
    try:
        return deadlines.run_within(seconds, partial(calls.make, call, open_client))
    except TimeoutError:
        text = f"{call.permission}: no answer within {seconds:.0f} s"
        return AwsAnswer(call, fault=Fault("network", text))


class LentEyes:
    """Makes a call that AWS denied to the source with *profile*, if one was lent.

    *open_client* returns the profile's client for a call.
    """

    def __init__(self, profile: str, open_client: Callable[[AwsCall], Any]) -> None:
        self.profile = profile
        self._open_client = open_client
        self._denials: dict[int, tuple[AwsAnswer, AwsAnswer]] = {}  # by the id of the first

    def introduce(self, call: AwsCall, seconds: float) -> AwsAnswer:
        """Return the profile's own answer to *call*, which asks whose it is."""
        return make_within(seconds, call, partial(self._open_client, call))

    def look(self, denial: AwsAnswer, seconds: float) -> AwsAnswer:
        """Return what the profile sees in place of *denial*; *denial* if it sees nothing either."""
        call = denial.call
        if not self.profile or str(call) in OWN:
            return denial
        seen = make_within(seconds, call, partial(self._open_client, call))
        if seen.fault is not None and seen.fault.reason in BLIND:
            return denial
        self._denials[id(seen)] = seen, denial
        return seen

    def denial(self, answer: AwsAnswer) -> AwsAnswer | None:
        """Return the source's own denial if *answer* is what the profile saw, else None."""
        return self._denials.get(id(answer), (None, None))[1]
