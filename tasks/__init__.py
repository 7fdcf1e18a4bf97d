"""The workers: ``celery -A tasks worker -Q control`` and ``-Q objects``."""
