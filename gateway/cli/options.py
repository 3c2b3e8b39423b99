"""What several subcommands take and say alike: where the configuration is, and what is wrong with it."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from gateway.config import DEFAULT_PATH, ConfigError, Settings, load
from gateway.system.nameservers import parse_server

WRONG = 2  # exit status: the command line, the configuration or a rules file is wrong


def add_config(parser: argparse.ArgumentParser, default: object = DEFAULT_PATH) -> None:
    parser.add_argument(
        "--config", type=Path, default=default, metavar="FILE", help=f"the configuration ({DEFAULT_PATH})"
    )


def add_dns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dns", type=_server, metavar="HOST:PORT", help="the DNS server to ask, instead of what is configured"
    )


def _server(text: str) -> str:
    try:
        parse_server(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def asking(server: str | None, settings: Settings) -> Settings:
    """The same, with the DNS server that the command line names, if it does."""
    dns = settings.dns.model_copy(update={"servers": (server,)})
    return settings.model_copy(update={"dns": dns}) if server else settings


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


def nothing_of(identity: str) -> str:
    """What is said of an id that the journal does not have."""
    return (
        f"the journal has nothing of {identity}; if it has just come, ask again in a few seconds (rows are written in"
        " batches), else it has expired or is no id of the log"
    )


def print_problems(problems: Iterable[object]) -> None:
    """One line a problem on standard error, in the form file:line:column: message."""
    for problem in problems:
        print(problem, file=sys.stderr)
