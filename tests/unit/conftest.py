"""The ledger on a real server is not for its own tests alone."""

from tests.unit.ledger.conftest import client, ledger, pass_time, server

__all__ = ["client", "ledger", "pass_time", "server"]
