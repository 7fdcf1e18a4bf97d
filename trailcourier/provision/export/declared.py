"""What an export has declared so far, so that what comes later refers to it; pure."""

from collections.abc import Callable, Mapping
from typing import Any

from trailcourier.provision.steps import Known


class Declared:
    """Values by which later resources refer to earlier ones: ARNs, names, what is not known yet.

    Only what was declared before is referred to, so no circle can come of it.
    """

    def __init__(self, refer: Callable[[str], Any]) -> None:
        self._refer = refer
        self._by_value: dict[str, Any] = {}
        self._by_name: dict[str, Any] = {}

    def declare(self, values: Mapping[str, str], known: Mapping[str, str]) -> None:
        """Have each text of *values*, and each Known by its name, refer to an expression."""
        self._by_value |= {value: self._refer(expression) for value, expression in values.items()}
        self._by_name |= {name: self._refer(expression) for name, expression in known.items()}

    def referring(self, value: Any) -> Any:
        """*value* with references in place of what was declared."""
        if isinstance(value, Known):
            return self._by_name.get(value.name, str(value))
        if isinstance(value, str):
            return self._by_value.get(value, value)
        if isinstance(value, Mapping):
            return {name: self.referring(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.referring(each) for each in value]
        return value
