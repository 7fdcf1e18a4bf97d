"""What Trailcourier measures about itself: ``python -m bench``."""
