"""The demo: Trailcourier on an emulated AWS with simulated CloudTrail traffic."""

from trailcourier.demo.player import DemoOptions, run_demo
from trailcourier.demo.remote import RemoteDemo, serve_remote
from trailcourier.demo.verdict import DemoVerdict

__all__ = ["DemoOptions", "DemoVerdict", "RemoteDemo", "run_demo", "serve_remote"]
