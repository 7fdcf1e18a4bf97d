"""Sessions, clients and what their errors mean: the only place that makes clients of AWS."""

from trailcourier.aws.clients import client
from trailcourier.aws.faults import ERRORS, codes, fault
from trailcourier.aws.sessions import Holding, forget, holding, session

__all__ = ["ERRORS", "Holding", "client", "codes", "fault", "forget", "holding", "session"]
