"""An account in which everything is well, and the command that looks at it."""

from tests.unit.doctor.conftest import account, delivered, doctor, ledger, running_account, server
from tests.unit.ledger.conftest import client

__all__ = ["account", "client", "delivered", "doctor", "ledger", "running_account", "server"]
