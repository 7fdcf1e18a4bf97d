"""The demo: Trailcourier on an emulated AWS with simulated CloudTrail traffic.

The emulated AWS is moto, which the extra ``demo`` installs; only the process ``emulator`` imports
it.  Of the rest of Trailcourier, only the command ``trailcourier demo`` imports this package.
"""

from trailcourier.demo.aws import demand_moto
from trailcourier.demo.player import DemoOptions, run_demo
from trailcourier.demo.remote import RemoteDemo, serve_remote
from trailcourier.demo.verdict import DemoVerdict

__all__ = ["DemoOptions", "DemoVerdict", "RemoteDemo", "demand_moto", "run_demo", "serve_remote"]
