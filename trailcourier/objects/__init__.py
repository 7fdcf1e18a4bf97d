"""Reading one log file from S3.

obstore does the reading; boto3 says what an error means, and reads where obstore cannot
(``docs/decisions/``).  obstore's threads do not survive a fork: a reader is used in the process
that first reads with it, and never before a fork.
"""

from trailcourier.objects.opened import Opened
from trailcourier.objects.reach import Noticed, Reach
from trailcourier.objects.reader import Reader
from trailcourier.objects.readers import Readers

__all__ = ["Noticed", "Opened", "Reach", "Reader", "Readers"]
