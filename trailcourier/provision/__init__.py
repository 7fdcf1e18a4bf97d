"""The AWS side of a collector: planned as data, applied, exported and taken back.

``plan`` is pure; ``apply`` walks it and does what is not so yet; ``destroy`` walks it backwards.
"""

from trailcourier.provision.asking import Asker, Clients
from trailcourier.provision.layout import Layout
from trailcourier.provision.plan import plan
from trailcourier.provision.request import Found, Request, problems, unknown
from trailcourier.provision.retreat import destroy, outlook
from trailcourier.provision.steps import Step
from trailcourier.provision.walk import Told, apply, survey

__all__ = [
    "Asker",
    "Clients",
    "Found",
    "Layout",
    "Request",
    "Step",
    "Told",
    "apply",
    "destroy",
    "outlook",
    "plan",
    "problems",
    "survey",
    "unknown",
]
