"""``python -m trailcourier``, and the console script."""

import sys
from typing import NoReturn

from trailcourier.observability import heartbeat


def main() -> NoReturn:
    """Run the command line; a health check does without the rest of the program."""
    if sys.argv[1:2] == ["healthcheck"] and not any(each[:1] == "-" for each in sys.argv[2:]):
        sys.exit(heartbeat.check(sys.argv[2:]))
    from trailcourier import cli  # noqa: PLC0415 - half a second that a health check has not

    cli.main()


if __name__ == "__main__":
    main()
