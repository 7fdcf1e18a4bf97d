"""Notifies systemd's watchdog, which restarts a unit with ``WatchdogSec=`` after silence.

The protocol is sd_notify(3): one datagram to the socket that systemd names in the environment.
"""

import os
import socket
from collections.abc import Mapping

SEND_TIMEOUT = 1.0  # seconds for systemd to accept a datagram; its socket queues many


def notify_watchdog(env: Mapping[str, str], *, stuck: str = "") -> None:
    """Tell systemd that this process works, unless it is *stuck*: then systemd restarts it.

    A process that waits for its broker counts as working: a restart would not bring the broker
    back.  Sends nothing if the environment *env* says that systemd watches no process or another
    one.  Raises OSError if systemd does not accept the datagram.
    """
    address = env.get("NOTIFY_SOCKET", "")
    watched = env.get("WATCHDOG_PID") == str(os.getpid())
    if stuck or not address or not watched:
        return
    if address.startswith("@"):  # a name in the abstract namespace
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.settimeout(SEND_TIMEOUT)
        to.sendto(b"WATCHDOG=1", address)
