"""The plan for somebody else to carry out: one function for each format."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from trailcourier.provision.layout import Layout
from trailcourier.provision.steps import Step

Format = Literal["terraform", "cloudformation", "cli"]

FORMATS: Mapping[str, Callable[[Layout, Sequence[Step]], str]] = {}
