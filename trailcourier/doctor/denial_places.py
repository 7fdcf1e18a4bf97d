"""Which policy AWS's error message blames for a denial, as the place where the fix belongs.

AWS names the kind of policy: "because no permissions boundary allows the s3:GetObject action", or
"with an explicit deny in a VPC endpoint policy".
"""

import re

_BLAMED = re.compile(
    r"because no (.{1,60}?) allows the |with an explicit deny in an? (.{1,60}?)(?=$|[.,:;]| \()"
)

PLACES = {
    "vpc endpoint policy": "the policy of the VPC endpoint through which this host connects",
    "permissions boundary": "the permissions boundary of these credentials",
    "service control policy": "a service control policy of the organisation",
    "resource control policy": "a resource control policy of the organisation",
    "session policy": "the session policy with which the role was assumed",
}
"""Policies other than those of the principal and of the resource, as AWS names them."""

_KEY = re.compile(r"arn:aws[\w-]*:kms:[\w-]+:\d{12}:key/[\w-]+")


def find_place(detail: str) -> str:
    """Return the policy that *detail*, AWS's message, blames; empty for the usual ones."""
    found = _BLAMED.search(detail)
    blamed = (found[1] or found[2] or "").strip().lower() if found else ""
    return next((words for name, words in PLACES.items() if name in blamed), "")


def find_key(detail: str) -> str:
    """Return the ARN of the KMS key that *detail*, AWS's message, names; empty without one."""
    found = _KEY.search(detail)
    return found[0] if found else ""
