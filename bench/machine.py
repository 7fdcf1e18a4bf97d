"""The machine and the versions that a measurement was made with."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from bench import bucket

PACKAGES = ("celery", "kombu", "redis", "obstore", "msgspec", "isal", "boto3")


def facts(broker: str, folder: Path) -> dict[str, str]:
    """Return the machine's properties and the versions; *folder* lies on the disk that is used."""
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "filesystem": _filesystem(folder),
        "Python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "broker": broker,
        "nginx": _nginx(),
    }


def _processor() -> str:
    found = re.search(r"(?m)^model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _nginx() -> str:
    ran = subprocess.run([bucket.nginx_program(), "-v"], capture_output=True, text=True, check=True)
    return ran.stderr.strip().rpartition("/")[2]


def _filesystem(folder: Path) -> str:
    mount, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, filesystem, *_ = line.split()
        inside = f"{folder.resolve()}/".startswith(f"{point.rstrip('/')}/")
        if inside and len(point) >= len(mount):
            mount, kind = point, filesystem
    return kind
