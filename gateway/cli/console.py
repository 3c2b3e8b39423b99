"""The console that subcommands print tables on: as wide as the terminal; where there is none, wide enough for all."""

import sys

from rich.console import Console

WIDE = 2000  # characters; a pipe has no width, and what reads from it wants whole values


def make_console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
