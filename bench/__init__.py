"""The benchmark of Trailcourier: ``python -m bench``."""
