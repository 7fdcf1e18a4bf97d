"""Replace values by what an export writes for them: references, numbers, booleans; pure."""

from collections.abc import Callable, Mapping
from typing import Any

from trailcourier.provision.steps import Placeholder


def typed(value: Any) -> Any:
    """Return *value*, or the number or boolean that it is SQS's text for."""
    if value in ("true", "false"):
        return value == "true"
    return int(value) if isinstance(value, str) and value.isdigit() else value


class References:
    """The values by which later resources refer to earlier ones: ARNs, URLs and placeholders.

    A resource can refer only to resources added before it, so no cycle can arise.
    """

    def __init__(self, write: Callable[[str], Any], escape: Callable[[str], str] = str) -> None:
        """*write* turns an expression into a reference; *escape* writes any other text."""
        self._write = write
        self._escape = escape
        self._by_value: dict[str, Any] = {}
        self._by_placeholder: dict[str, Any] = {}

    def add(self, values: Mapping[str, str], placeholders: Mapping[str, str]) -> None:
        """Let each literal value, and each placeholder by its name, refer to an expression."""
        self._by_value |= {value: self._write(to) for value, to in values.items()}
        self._by_placeholder |= {name: self._write(to) for name, to in placeholders.items()}

    def replace_in(self, value: Any) -> Any:
        """Return *value* with a reference wherever one was added."""
        if isinstance(value, Placeholder):
            return self._by_placeholder.get(value.name, str(value))
        if isinstance(value, str):
            return self._by_value.get(value, self._escape(value))
        if isinstance(value, Mapping):
            return {name: self.replace_in(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.replace_in(each) for each in value]
        return value
