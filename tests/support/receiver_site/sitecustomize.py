"""Run by Python before anything else, wherever this folder is on PYTHONPATH."""

from tests.support import receiver

receiver.join()
