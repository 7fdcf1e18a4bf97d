"""A fleet on one host: its processes started, kept running, and stopped in order."""

from trailcourier.fleet.members import Member, flower, members, surroundings
from trailcourier.fleet.run import Fleet

__all__ = ["Fleet", "Member", "flower", "members", "surroundings"]
