"""What the installed boto3 knows, read from its data and without importing it."""

import difflib
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def regions() -> frozenset[str]:
    """Return every region code of every partition."""
    spec = find_spec("botocore")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise ModuleNotFoundError("botocore is not installed", name="botocore")
    data = json.loads(Path(folders[0], "data", "partitions.json").read_bytes())
    codes = {code for partition in data["partitions"] for code in partition["regions"]}
    return frozenset(code for code in codes if not code.endswith("-global"))


def region(code: str) -> str:
    """Return *code* if there is such a region; raises ValueError with the nearest if not."""
    if code in regions():
        return code
    swapped = [each for each in regions() if sorted(each) == sorted(code)]
    near = swapped or difflib.get_close_matches(code, sorted(regions()), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"{code} is no region that the installed boto3 knows{hint}")
