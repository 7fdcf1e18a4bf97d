"""Write an AWS call as a command of the AWS CLI, for a POSIX shell."""

import json
from typing import Any

from botocore import xform_name

from trailcourier.aws.calls import AwsCall
from trailcourier.provision.merge_rules import encode_parameters
from trailcourier.provision.steps import Placeholder

_COMMANDS = {"s3": "s3api"}
# AWS CLIs of the last three years refuse these; the script sets them in calls of their own
_NEW_PARAMETERS = {"cloudtrail": {"RecursiveLogging"}}


def format_command(call: AwsCall) -> str:
    """Return the command for *call*, with its parameters as JSON."""
    return f"{name_command(call)} --cli-input-json {quote_json(_supported(call), encode=True)}"


def name_command(call: AwsCall) -> str:
    """Return the command for *call* without its parameters."""
    service = _COMMANDS.get(call.service, call.service)
    return f"aws {service} {xform_name(call.operation, '-')} --region {call.region}"


def quote_json(value: Any, *, encode: bool = False) -> str:
    """Return *value* as quoted JSON, in which variables stand for its placeholders.

    With *encode* documents are JSON text where AWS takes text.
    """
    names: dict[str, str] = {}
    written = _stand_ins(value, names)
    text = json.dumps(encode_parameters(written) if encode else written).replace("'", "'\\''")
    for stand_in, name in names.items():
        text = text.replace(stand_in, f"'\"${name}\"'")
    return f"'{text}'"


def _supported(call: AwsCall) -> dict[str, Any]:
    new = _NEW_PARAMETERS.get(call.service, set())
    parameters = {key: value for key, value in call.parameters.items() if key not in new}
    if call.operation == "CreateBucket":  # PutBucketTagging follows
        configuration = dict(parameters.pop("CreateBucketConfiguration"))
        configuration.pop("Tags")
        if configuration:
            parameters["CreateBucketConfiguration"] = configuration
    return parameters


def _stand_ins(value: Any, names: dict[str, str]) -> Any:
    """Return *value* with a text for each placeholder; *names* maps the texts to variables."""
    if isinstance(value, Placeholder):
        if value.name != "merged":  # Python merges it when the script runs
            names[f"@{value.name}@"] = value.name
        return f"@{value.name}@"
    if isinstance(value, dict):
        return {key: _stand_ins(each, names) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_stand_ins(each, names) for each in value]
    return value
