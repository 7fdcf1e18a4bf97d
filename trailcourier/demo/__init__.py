"""The whole line on an emulated AWS with simulated CloudTrail traffic."""

from trailcourier.demo.away import Visit, serve
from trailcourier.demo.run import Options, demo
from trailcourier.demo.verdict import Verdict

__all__ = ["Options", "Verdict", "Visit", "demo", "serve"]
