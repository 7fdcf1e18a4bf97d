"""The clock: ``celery -A beat beat``."""
