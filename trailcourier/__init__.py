"""Carries AWS CloudTrail log files from S3 to a SIEM, losing nothing on the way."""

__version__ = "0.1.0"
