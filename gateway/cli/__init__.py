"""The command `mailward`: one module a subcommand, each with its own arguments and a function that gives the status.

Exit status: 0 done; 1 it was done and the answer is no; 2 the command line, the configuration or a rules file is wrong.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from gateway import __version__

COMMANDS = (
    "serve",
    "try_",
    "check",
    "send",
    "config",
    "rules",
    "doctor",
    "quarantine",
    "journal",
    "learn",
    "panic",
    "worker",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mailward",
        description="An inbound SMTP filter gateway: authenticates, scores, judges and hands on mail "
        "while the sender waits.",
    )
    parser.add_argument("--version", action="version", version=f"mailward {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        importlib.import_module(f"gateway.cli.{command}").add_parser(subparsers)
    return parser
