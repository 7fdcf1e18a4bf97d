"""Reads log files from S3.

obstore reads; boto3 finds the exact code of an error, and reads what obstore cannot
(``docs/decisions/``).  obstore's threads do not survive a fork: use a reader only in the process
that first reads with it, and never before a fork.
"""

from trailcourier.objects.access import BucketAccess, Notify
from trailcourier.objects.opened import OpenedObject
from trailcourier.objects.reader import Reader
from trailcourier.objects.readers import Readers

__all__ = ["BucketAccess", "Notify", "OpenedObject", "Reader", "Readers"]
