"""systemd's watchdog: a unit with ``WatchdogSec=`` is restarted unless its process says it works.

The protocol is sd_notify(3): one datagram to the socket that systemd names in the environment.
"""

import os
import socket
from collections.abc import Mapping

PATIENCE = 1.0  # seconds for systemd to take a datagram; its socket holds many


def feed(env: Mapping[str, str], *, stuck: str = "") -> None:
    """Say that this process works; one that is *stuck* says nothing, and is restarted.

    A process without its broker works: to restart it would not bring the broker back.  Says nothing
    where systemd, by the environment *env*, watches no process or another one.  Raises OSError
    where systemd takes no word.
    """
    address = env.get("NOTIFY_SOCKET", "")
    watched = env.get("WATCHDOG_PID") == str(os.getpid())
    if stuck or not address or not watched:
        return
    if address.startswith("@"):  # a name in the abstract namespace
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.settimeout(PATIENCE)
        to.sendto(b"WATCHDOG=1", address)
