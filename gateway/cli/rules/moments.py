"""Moments: what the command line says of a time, "7d" ago or a date, to Unix time."""

import argparse
import re
from datetime import UTC, datetime

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

_ago_re = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhdw])\Z")


def moment(text: str, now: float) -> float:
    """Raises argparse.ArgumentTypeError. What has no time zone is UTC, as in the journal."""
    if ago := _ago_re.match(text):
        return now - float(ago[1]) * SECONDS[ago[2]]
    try:
        stated = datetime.fromisoformat(text)
        return (stated if stated.tzinfo else stated.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f'"{text}" is neither 7d, 12h, 30m nor 2026-11-27T08:00') from error
