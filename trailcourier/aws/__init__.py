"""Sessions, clients and what their errors mean: the only place that makes clients of AWS."""

from trailcourier.aws.clients import client
from trailcourier.aws.faults import ERRORS, codes, fault
from trailcourier.aws.sessions import forget, session

__all__ = ["ERRORS", "client", "codes", "fault", "forget", "session"]
