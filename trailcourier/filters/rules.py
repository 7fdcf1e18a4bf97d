"""The configuration of a source's filter: tables of field paths and the values they must have.

A rule matches if all of its conditions match.  A field that is missing or null is absent; only
``{ present = false }`` matches it.
"""

import re
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = str | bool | int | float

NO_KEEP_RULE = "no-keep-rule"
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
NAME_MEANING = "the rule's name in metrics"
FORMS = "a value, a list of values, { not = [values] } or { present = true or false }"

# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
# CloudTrail adds fields now and then, so other names are allowed, but not these in another case.
# eventId is in aggregated records, eventID in all others.
FIELDS = frozenset({
    "additionalEventData", "addendum", "annotation", "apiVersion", "awsRegion",
    "edgeDeviceDetails", "errorCode", "errorMessage", "eventCategory", "eventContext",
    "eventID", "eventId", "eventName", "eventSource", "eventTime", "eventType",
    "eventVersion", "insightDetails", "managementEvent", "readOnly", "recipientAccountId",
    "requestID", "requestParameters", "resources", "responseElements",
    "serviceEventDetails", "sessionCredentialFromConsole", "sharedEventID",
    "sourceIPAddress", "tlsDetails", "userAgent", "userIdentity", "vpcEndpointAccountId",
    "vpcEndpointId",
})  # fmt: skip
FIELDS_IN_ANY_CASE = {name.lower(): name for name in sorted(FIELDS, reverse=True)}


SCALARS = [{"type": kind} for kind in ("string", "boolean", "number")]
VALUES = {"type": "array", "items": {"anyOf": SCALARS}, "minItems": 1}


def _describe_table(schema: dict[str, Any]) -> None:
    """Replace the JSON Schema of a rule's parts by that of its table in the configuration."""
    condition = {
        "description": FORMS,
        "anyOf": [
            *SCALARS,
            VALUES,
            *(
                {
                    "type": "object",
                    "properties": {name: wanted},
                    "required": [name],
                    "additionalProperties": False,
                }
                for name, wanted in {
                    "not": {"anyOf": [*SCALARS, VALUES]},
                    "present": {"type": "boolean"},
                }.items()
            ),
        ],
    }
    name = {"type": "string", "pattern": f"^({NAME.pattern})?$", "description": NAME_MEANING}
    schema.clear()
    schema |= {
        "type": "object",
        "description": "A record matches if all conditions match; each key is a field's path.",
        "properties": {"name": name} | dict.fromkeys(sorted(FIELDS), condition),
        "additionalProperties": condition,
    }


class Condition(BaseModel):
    """What the field at *path* must be; exactly one of the other attributes is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    one_of: tuple[Value, ...] = ()
    none_of: tuple[Value, ...] = ()
    present: bool | None = None

    def __str__(self) -> str:
        if self.present is not None:
            return f"{self.path} {'present' if self.present else 'absent'}"
        values = " or ".join(map(_format_value, self.one_of or self.none_of))
        return f"{self.path} {'is' if self.one_of else 'is not'} {values}"


class Rule(BaseModel):
    """One table of the config: ``{ eventSource = "kms.*", errorCode = { present = false } }``."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_describe_table)

    name: str = ""
    conditions: tuple[Condition, ...]

    @model_validator(mode="before")
    @classmethod
    def _from_table(cls, table: Any) -> Any:
        if not isinstance(table, dict) or "conditions" in table:
            return table
        fields = {path: wanted for path, wanted in table.items() if path != "name"}
        if not fields:
            raise ValueError("a rule without a field would match every record: add one")
        conditions = [_parse_condition(path, wanted) for path, wanted in fields.items()]
        return {"name": table.get("name", ""), "conditions": conditions}

    @model_validator(mode="after")
    def _has_valid_name(self) -> Self:
        if self.name == NO_KEEP_RULE or (self.name and not NAME.fullmatch(self.name)):
            raise ValueError(
                f"name {self.name!r}: use up to 64 letters, digits, dots, dashes and underscores, "
                f"but not {NO_KEEP_RULE!r}"
            )
        return self

    def __str__(self) -> str:
        return " and ".join(map(str, self.conditions))


class FilterRules(BaseModel):
    """A record passes if no *drop* rule matches it and, if *keep* is set, a *keep* rule does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    drop: tuple[Rule, ...] = Field((), description="records that match one of these are dropped")
    keep: tuple[Rule, ...] | None = Field(
        None, description="records that match none of these are dropped"
    )

    @model_validator(mode="after")
    def _has_rules(self) -> Self:
        if self.keep == ():
            raise ValueError("keep is empty, so no record would pass: remove it")
        if not self.drop and self.keep is None:
            raise ValueError("neither drop nor keep; to send everything set unfiltered = true")
        return self

    def named_drops(self) -> list[tuple[str, Rule]]:
        """Return the drop rules with the names under which their records are counted."""
        return [(rule.name or f"drop-{n}", rule) for n, rule in enumerate(self.drop, 1)]


def _format_value(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) and value and value.isprintable() else repr(value)


def _parse_condition(path: str, wanted: Any) -> Condition:
    if not all(path.split(".")):
        raise ValueError(f"{path!r} is not a field path (example: userIdentity.type)")
    first = path.partition(".")[0]
    if first not in FIELDS and (field := FIELDS_IN_ANY_CASE.get(first.lower())):
        raise ValueError(f"{path}: case matters in field names; did you mean {field}?")
    match wanted:
        case {"present": bool(present), **others} if not others:
            return Condition(path=path, present=present)
        case {"not": none_of, **others} if not others:
            return Condition(path=path, none_of=_parse_values(path, none_of))
    return Condition(path=path, one_of=_parse_values(path, wanted))


def _parse_values(path: str, wanted: Any) -> tuple[Value, ...]:
    values = tuple(wanted) if isinstance(wanted, list | tuple) else (wanted,)
    if not values or not all(isinstance(value, str | bool | int | float) for value in values):
        raise ValueError(f"{path}: expected {FORMS}")
    return values


DEFAULT_RULE = FilterRules.model_validate(
    {
        "drop": [
            {
                "name": "aws-service-reads",
                "userIdentity.type": "AWSService",
                "readOnly": True,
                "managementEvent": True,
                "errorCode": {"present": False},
                "eventSource": {
                    "not": [
                        f"{service}.amazonaws.com"
                        for service in ("sts", "kms", "secretsmanager", "ssm")
                    ]
                },
            }
        ]
    }
)


def describe(rules: FilterRules) -> str:
    """Return a one-line description of what *rules* drop."""
    parts = [f"drops {name} ({rule})" for name, rule in rules.named_drops()]
    if rules.keep is not None:
        parts.append(
            "drops records that are not " + " or not ".join(f"({rule})" for rule in rules.keep)
        )
    return "; ".join(parts)
