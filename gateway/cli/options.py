"""What several subcommands take and say alike: where the configuration is, and what is wrong with it."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from gateway.config import DEFAULT_PATH, ConfigError, Settings, load

WRONG = 2  # exit status: the command line, the configuration or a rules file is wrong


def add_config(parser: argparse.ArgumentParser, default: object = DEFAULT_PATH) -> None:
    parser.add_argument(
        "--config", type=Path, default=default, metavar="FILE", help=f"the configuration ({DEFAULT_PATH})"
    )


def load_config(options: argparse.Namespace) -> Settings | None:
    """The settings of --config, or None after every problem with them was printed."""
    try:
        return load(options.config)
    except ConfigError as error:
        print_problems(error.problems)
        return None


def load_or_least(config: Path) -> Settings:
    """The settings of a configuration; where none is installed those that say least, for what serves nothing. Raises
    ConfigError."""
    if config != DEFAULT_PATH or DEFAULT_PATH.exists():
        return load(config)
    return Settings.model_validate(
        {"hostname": "localhost", "domains": ["localhost"], "route": {"default": {"hosts": ["maildir:///nowhere"]}}}
    ).model_copy(update={"domains": ()})


def print_problems(problems: Iterable[object]) -> None:
    """One line a problem on standard error, in the form file:line:column: message."""
    for problem in problems:
        print(problem, file=sys.stderr)
