"""The AWS regions of the installed boto3, read from botocore's data without importing it."""

import difflib
from functools import cache

from trailcourier.aws.partitions import partitions


@cache
def regions() -> frozenset[str]:
    """Return every region code of every partition."""
    codes = {code for partition in partitions() for code in partition.regions}
    return frozenset(code for code in codes if not code.endswith("-global"))


def region(code: str) -> str:
    """Return *code*; raises ValueError, which suggests the nearest, if no such region exists."""
    if code in regions():
        return code
    swapped = [each for each in regions() if sorted(each) == sorted(code)]
    near = swapped or difflib.get_close_matches(code, sorted(regions()), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"{code} is not a region of the installed boto3{hint}")
