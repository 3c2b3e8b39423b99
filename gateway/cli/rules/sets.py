"""Which sets of rules a command is about: those of directories on the command line, or all of the configuration,
perhaps with others in place of the site's."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.options import print_problems
from gateway.facts import Fact
from gateway.policy.origin import Origin
from gateway.policy.rule import RuleSet
from gateway.policy.rules import RulesError
from gateway.tomlfile import Problem

if TYPE_CHECKING:
    from gateway.config import Settings


def chosen_origins(options: argparse.Namespace) -> list[Origin] | None:
    """None where problems were printed."""
    named = [*options.directories, *([options.rules] if options.rules else [])]
    missing = [Problem(str(path), 1, 1, "is no directory") for path in named if not path.is_dir()]
    print_problems(missing)
    if missing:
        return None
    if options.directories:
        return [Origin(tuple(options.directories))]
    return _configured(options.config, options.rules)


def settings_of(options: argparse.Namespace) -> "Settings | None":
    """The configuration that is named or installed, or the least that there can be; None after problems."""
    from gateway.cli.options import load_or_least
    from gateway.config import DEFAULT_PATH, ConfigError

    try:
        return load_or_least(options.config or DEFAULT_PATH)
    except ConfigError as error:
        print_problems(error.problems)
        return None


def loaded(origins: Iterable[Origin], declared: Iterable[Fact]) -> list[RuleSet] | None:
    """Every set; None where problems were printed, each once, also those of files that several sets have."""
    problems: dict[Problem, None] = {}
    sets = []
    for origin in origins:
        try:
            sets.append(origin.load(declared))
        except RulesError as error:
            problems |= dict.fromkeys(error.problems)
    print_problems(problems)
    return None if problems else sets


def _configured(file: Path | None, site: Path | None) -> list[Origin] | None:
    """The sets of a configuration, or the shipped rules and the site's where none is named and none is installed."""
    from gateway import config
    from gateway.rulesets import origin_of, origins_of, with_site

    if file is None and not config.DEFAULT_PATH.exists():
        return [origin_of(config.RulesSettings(site=site) if site else config.RulesSettings())]
    try:
        settings = config.load(file or config.DEFAULT_PATH)
        return list(origins_of(with_site(settings, site) if site else settings))
    except config.ConfigError as error:
        print_problems(error.problems)
        return None
