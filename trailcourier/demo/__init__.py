"""The whole line on an emulated AWS with simulated CloudTrail traffic."""

from trailcourier.demo.run import Options, demo
from trailcourier.demo.verdict import Verdict

__all__ = ["Options", "Verdict", "demo"]
