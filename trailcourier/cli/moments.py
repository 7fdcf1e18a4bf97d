"""Reads a moment that an option names."""

import re
from datetime import UTC, datetime, timedelta

import typer

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def parse_since(text: str) -> datetime | None:
    """Return the moment that *text* names: a time, or how long ago; None for no text."""
    if not text:
        return None
    if ago := re.fullmatch(r"(\d{1,4})([mhd])", text):
        return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        example = "give a time as 2026-11-24T10:00Z, or how long ago as 36h"
        raise typer.BadParameter(f"--since {text} is not a time: {example}") from None
    return said if said.tzinfo else said.replace(tzinfo=UTC)
