"""A container engine for a test: Debian's dockerd, all of it in a folder that goes at the end.

No image can be pulled everywhere, so ``debian`` makes one from the machine's own package mirror.
"""

import os
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from tests.support.programs import found
from trailcourier.host import child_process

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
FILTERED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


class Engine:
    """Runs from when it is made until ``close``.

    It has a process namespace of its own, so that every container ends with it, however it ends.
    """

    def __init__(self) -> None:
        self._docker, self._compose = (
            found("docker", "docker.io"),
            found("docker-compose", "docker-compose"),
        )
        dockerd = found("dockerd", "docker.io")
        _let_containers_talk()
        self.folder = Path(tempfile.mkdtemp(prefix="engine-"))  # short: sockets lie in it
        self.log = self.folder / "log"
        self.environment = {
            **os.environ,
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_BUILDKIT": "0",  # Debian's engine has no plugin for it
            "DOCKER_CONFIG": str(self.folder),
        }
        apart = [found("unshare", "util-linux"), "--mount", "--pid", "--fork", "--kill-child"]
        where = [f"--{name}={self.folder}/{name}" for name in ("data-root", "exec-root", "pidfile")]
        # containers reach each other and nobody else, and wait two seconds for a name nobody has
        network = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]
        options = [
            *where,
            *network,
            "--dns-opt=timeout:2",
            "--dns-opt=attempts:1",
            f"--host={self.environment['DOCKER_HOST']}",
        ]
        with self.log.open("wb") as log:
            argv = [*apart, "--mount-proc", dockerd, *options]
            self._process = child_process.start(argv, stdout=log, stderr=subprocess.STDOUT)
        try:
            self._await()
        except BaseException:
            self.close()
            raise

    def docker(self, *arguments: str | Path, seconds: float = 60) -> str:
        """Run the docker command to its end; what it printed."""
        return self._run(self._docker, *arguments, seconds=seconds).strip()

    def compose(
        self, project: Path, *arguments: str, seconds: float = 120, **environment: str
    ) -> str:
        """Run docker-compose in *project*; what it printed."""
        return self._run(
            self._compose, *arguments, seconds=seconds, folder=project, environment=environment
        ).strip()

    def close(self) -> None:
        child_process.stop(self._process, grace=30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _await(self, *, within: float = 60) -> None:
        deadline = time.monotonic() + within
        while not (self.folder / "docker.sock").exists():
            words = self.log.read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, words
            assert time.monotonic() < deadline, words
            time.sleep(0.1)
        self.docker("version")

    def _run(
        self,
        *argv: str | Path,
        seconds: float,
        folder: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> str:
        done = subprocess.run(
            argv,
            cwd=folder,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{argv}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout


def debian(engine: Engine, *packages: str, seconds: float = 240) -> str:
    """Make an image of the machine's own release with *packages*, and say its name."""
    root = engine.folder / "debian"
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    unpack(root, release, *packages, seconds=seconds)
    archive = engine.folder / "debian.tar"
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True, timeout=60)
    engine.docker("import", archive, "debian:test")
    return "debian:test"


def unpack(root: Path, release: str, *packages: str, seconds: float) -> None:
    """Lay the smallest Debian of *release* with *packages* into the folder *root*.

    It trusts whom the machine trusts, and asks for Python's packages where the machine asks.
    """
    wanted = ",".join(["ca-certificates", *packages])
    # in a namespace of its own, so that what it mounts in there is gone however it ends
    subprocess.run(
        [found("unshare", "util-linux"), "--mount",
         found("debootstrap", "debootstrap"), "--variant=minbase", f"--include={wanted}",
         release, root, _mirror(release)],
        check=True, capture_output=True, timeout=seconds,
    )  # fmt: skip
    shutil.copy(os.environ.get("PIP_CERT") or BUNDLE, f"{root}{BUNDLE}")
    if Path("/etc/pip.conf").is_file():
        shutil.copy("/etc/pip.conf", root / "etc/pip.conf")


def _let_containers_talk() -> None:
    """Fail where another engine's firewall would drop what containers of this one say."""
    if not (FILTERED.exists() and FILTERED.read_text().strip() == "1"):
        return
    argv = [found("iptables", "iptables"), "-S", "FORWARD"]
    rules = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=True).stdout
    assert "-P FORWARD DROP" not in rules, (
        "another engine's firewall keeps containers apart: end it, then iptables -P FORWARD ACCEPT"
    )


def _mirror(release: str) -> str:
    """Where this machine gets the packages of *release* from."""
    output = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME) $(COMPONENT)"],
        check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    sites = [
        line.split()[0] for line in output.splitlines() if line.split()[1:] == [release, "main"]
    ]
    assert sites, "apt has no list of packages: apt-get update"
    return sites[0]
