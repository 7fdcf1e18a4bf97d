"""The JSON Schema of ``trailcourier.toml``, for editors."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from trailcourier.settings.shape import Configuration

DIALECT = GenerateJsonSchema.schema_dialect


class _Generator(GenerateJsonSchema):
    """Writes no titles that only repeat the name of a key."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def json_schema() -> dict[str, Any]:
    """Return the schema; ``trailcourier check`` also finds what a schema cannot express."""
    schema = Configuration.model_json_schema(schema_generator=_Generator)
    return {"$schema": DIALECT, **_tidy(schema), "title": "trailcourier.toml"}


def _tidy(schema: Any) -> Any:
    """Return *schema* in TOML's terms: without null and the defaults of whole tables.

    A description's double backticks become Markdown's single ones.
    """
    match schema:
        case {"anyOf": [only, {"type": "null"}], **others}:
            return _tidy({**only, **others})
        case {"patternProperties": _, **others} if "additionalProperties" not in others:
            return _tidy({**schema, "additionalProperties": False})
        case dict():
            return {
                name: each.replace("``", "`") if name == "description" else _tidy(each)
                for name, each in schema.items()
                if name != "default" or isinstance(each, bool | int | float | str | list)
            }
        case list():
            return [_tidy(each) for each in schema]
        case _:
            return schema
