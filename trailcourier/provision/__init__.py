"""The AWS side of a collector: planned as data, then applied, exported or destroyed.

``plan`` is pure. ``apply`` goes through the plan in order and makes the calls that are still
needed; ``destroy`` goes through it backwards.
"""

from trailcourier.provision.apply import StepReport, apply, preview_apply
from trailcourier.provision.destroy import destroy, preview_destroy
from trailcourier.provision.names import Layout
from trailcourier.provision.plan import plan
from trailcourier.provision.request import (
    AccountFacts,
    SetupRequest,
    check_request,
    list_unknown,
)
from trailcourier.provision.step_runner import Clients, StepRunner
from trailcourier.provision.steps import Step

__all__ = [
    "AccountFacts",
    "Clients",
    "Layout",
    "SetupRequest",
    "Step",
    "StepReport",
    "StepRunner",
    "apply",
    "check_request",
    "destroy",
    "list_unknown",
    "plan",
    "preview_apply",
    "preview_destroy",
]
