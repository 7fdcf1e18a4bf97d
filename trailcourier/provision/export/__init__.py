"""Export the plan for somebody else to apply: one function for each format."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from trailcourier.provision.export import cloudformation, shell, terraform
from trailcourier.provision.names import Layout
from trailcourier.provision.steps import Step

Format = Literal["terraform", "cloudformation", "cli"]

FORMATS: Mapping[Format, Callable[[Layout, Sequence[Step]], str]] = {
    "terraform": terraform.configuration,
    "cloudformation": cloudformation.template,
    "cli": shell.script,
}
