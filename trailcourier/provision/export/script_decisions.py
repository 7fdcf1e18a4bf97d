"""What the exported script asks Python: reads an answer of the AWS CLI, prints what follows.

The script contains this source, below that of `merge_rules`: `python3 rules.py VERB ... <ANSWER`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from trailcourier.provision import merge_rules


def decide(verb: str, arguments: list[str], found: dict[str, Any]) -> str:
    """Return the text that answers *verb*; *found* is what the script's ``--query`` selects."""
    if verb == "output":
        return str(found.get(arguments[0]) or "")
    if verb == "owned":
        return "yes" if merge_rules.has_our_tag(found.get("answer"), arguments[0]) else "no"
    expected = json.loads(arguments[0])
    if verb == "differences":
        return "; ".join(list_changes(expected, found.get("part")))
    return json.dumps(fill_in(json.loads(arguments[1]), merge(expected, found.get("part"))))


def list_changes(expected: dict[str, Any], part: Any) -> list[str]:
    """Return a text for each thing that the step would change."""
    if "fields" in expected:
        return merge_rules.find_differences(part or {}, expected["fields"], expected["lenient"])
    if "statements" in expected:
        policy = merge_rules.parse_policy(part)
        return list(merge_rules.find_statement_differences(expected["statements"], policy))
    kind, entry, part = expected["kind"], expected["entry"], part or {}
    if not merge_rules.has_notification(kind, entry, part):
        return [f"{kind} has no entry of this set-up"]
    return list(merge_rules.find_notification_differences(kind, entry, part))


def merge(expected: dict[str, Any], part: Any) -> dict[str, Any]:
    """Return the existing document with the expected entries; all others stay."""
    if "statements" in expected:
        return merge_rules.add_statements(expected["statements"], merge_rules.parse_policy(part))
    return merge_rules.add_notification(expected["kind"], expected["entry"], part or {})


def fill_in(parameters: dict[str, Any], merged: dict[str, Any]) -> dict[str, Any]:
    """Return *parameters* with the *merged* document where they have ``@merged@``."""
    filled = {
        name: merged
        if value == "@merged@"
        else fill_in(value, merged)
        if isinstance(value, dict)
        else value
        for name, value in parameters.items()
    }
    return merge_rules.encode_parameters(filled)


if __name__ == "__main__":
    sys.stdout.write(decide(sys.argv[1], sys.argv[2:], json.load(sys.stdin) or {}))
