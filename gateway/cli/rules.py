"""mailward rules: check the rules files, and run the examples in them.

Problems are written to standard error in the form file:line:column: message, which editors follow.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.facts import Fact
from gateway.policy.examples import failures
from gateway.policy.lint import lint
from gateway.policy.rule import RuleSet
from gateway.policy.rules import RulesError, load
from gateway.policy.shipped import shipped_rules
from gateway.tomlfile import Problem


@dataclass(frozen=True, slots=True)
class Directories:
    """Where rules files are, in the order in which they are read, and lists beside those in their lists/."""

    rules: tuple[Path, ...]
    lists: tuple[Path, ...] = ()


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("rules", help="check the rules files, or run the examples in them")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, act, text in (
        ("check", check, "find every error of every rules file, and what is worth a second thought"),
        ("test", test, "run the examples in the rules"),
    ):
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        action.add_argument("--config", metavar="FILE", type=Path, help="the configuration that names the directories")
        action.add_argument(
            "directories",
            metavar="DIR",
            nargs="*",
            type=Path,
            help="a directory of rules files; a later one may change rules of those before it "
            "(default: the shipped rules, then those of the configuration)",
        )
        action.set_defaults(run=_runner(act))


def check(directories: Directories, declared: Iterable[Fact]) -> int:
    """Report all problems and warnings. Exit status 0, or 2 where the rules cannot be used."""
    rules = _loaded(directories, declared)
    if rules is None:
        return 2
    warnings = lint(rules)
    _report(warnings, "warning: ")
    print(f"{len(rules.rules)} rules, version {rules.digest}: no errors, {len(warnings)} warnings")
    print(f"read from {', '.join(str(path) for path in directories.rules if path.is_dir())}")
    return 0


def test(directories: Directories, declared: Iterable[Fact]) -> int:
    """Run the examples. Exit status 0, 1 where a rule does not keep to its example, 2 where the rules are broken."""
    rules = _loaded(directories, declared)
    if rules is None:
        return 2
    failed = failures(rules)
    _report(failed)
    total = sum(len(rule.examples) for rule in rules.rules)
    bare = sum(not rule.examples for rule in rules.rules)
    print(f"{total - len(failed)} of {total} examples pass; {bare} of {len(rules.rules)} rules have none")
    return 1 if failed else 0


def _runner(act: Callable[[Directories, Iterable[Fact]], int]) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        from gateway.vocabulary import FACTS  # it imports every check: not for `mailward --help`

        directories = _directories(options)
        return 2 if directories is None else act(directories, FACTS)

    return run


def _directories(options: argparse.Namespace) -> Directories | None:
    """Those named on the command line, or those of the configuration, or None where problems were reported."""
    missing = [Problem(str(path), 1, 1, "is no directory") for path in options.directories if not path.is_dir()]
    _report(missing)
    if options.directories:
        return None if missing else Directories(rules=tuple(options.directories))
    return _configured(options.config)


def _configured(file: Path | None) -> Directories | None:
    """The directories of a configuration, or of its defaults where none is named and none is installed."""
    from gateway import config

    if file is None and config.DEFAULT_PATH.exists():
        file = config.DEFAULT_PATH
    try:
        settings = config.load(file).rules if file else config.RulesSettings()
    except config.ConfigError as error:
        _report(error.problems)
        return None
    shipped = (shipped_rules(),) if settings.shipped else ()
    return Directories(rules=(*shipped, settings.site), lists=(settings.lists,))


def _loaded(directories: Directories, declared: Iterable[Fact]) -> RuleSet | None:
    try:
        return load(directories.rules, declared, lists=directories.lists)
    except RulesError as error:
        _report(error.problems)
        return None


def _report(problems: Sequence[Problem], level: str = "") -> None:
    for problem in problems:
        print(str(problem).replace(": ", f": {level}", 1), file=sys.stderr)
