"""``python -m trailcourier``."""

from trailcourier.cli import main

main()
