"""A host for each process of a fleet: a clock, a network to the broker, and a file with its URL."""

from pathlib import Path
from urllib.parse import urlsplit

from tests.support.relay import Relay

SET = "import tests.integration.trial_wall; "  # before anything else takes the clock


class Host:
    """What one process has of its own; *url* is the broker's."""

    def __init__(self, name: str, folder: Path, url: str) -> None:
        self.network = Relay(urlsplit(url).port or 0, None, 0.0)
        self._clock, self._url = folder / f"{name}.clock", folder / f"{name}.broker"
        self.set(0)
        self.tell(url)

    @property
    def environment(self) -> dict[str, str]:
        """The settings of the process that is to run here."""
        return {"WALL_CLOCK": str(self._clock), "TRAILCOURIER_BROKER__URL": f"file:{self._url}"}

    def started(self, argv: list[str]) -> list[str]:
        """How *argv*, a command of Python's with ``-c``, is started on this host."""
        at = argv.index("-c") + 1
        return [*argv[:at], SET + argv[at], *argv[at + 1 :]]

    def set(self, seconds: float) -> None:
        """Set the clock to be so many seconds ahead."""
        _write(self._clock, str(seconds))

    def tell(self, url: str) -> None:
        """Write the broker's *url*, with the password of now, for who reads it again."""
        login = urlsplit(url).netloc.rpartition("@")[0]
        _write(self._url, f"redis://{login}@127.0.0.1:{self.network.port}/0\n")

    def close(self) -> None:
        self.network.close()


def _write(path: Path, text: str) -> None:
    """Write all of *path* at once: a process may read it at any time."""
    written = path.with_name(f"{path.name}.new")
    written.write_text(text)
    written.replace(path)
