"""Sessions, clients and what their errors mean: the only place that makes clients of AWS."""

from trailcourier.aws.answers import foreign, is_page, signed
from trailcourier.aws.clients import client
from trailcourier.aws.faults import ERRORS, OF_KEYS, codes, fault
from trailcourier.aws.sessions import Holding, forget, holding, session

__all__ = [
    "ERRORS",
    "OF_KEYS",
    "Holding",
    "client",
    "codes",
    "fault",
    "foreign",
    "forget",
    "holding",
    "is_page",
    "session",
    "signed",
]
