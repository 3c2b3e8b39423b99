"""The console that subcommands print tables on: as wide as the terminal; where there is none, wide enough for all."""

import sys
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

WIDE = 2000  # characters; a pipe has no width, and what reads from it wants whole values


def shown(text: str, style: str = "") -> Text:
    """Text that others wrote, without the characters that would drive a terminal."""
    return Text("".join(character if character.isprintable() else "?" for character in text), style=style)


def make_console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)


def when(seconds: float) -> str:
    """Unix time, for people."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
