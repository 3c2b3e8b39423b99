"""mailward rules check: every error of every set of rules, and warnings."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path

from msgspec.structs import replace

from gateway.cli.options import WRONG, print_problems
from gateway.cli.rules.sets import loaded
from gateway.facts import Fact
from gateway.policy.lint import lint
from gateway.policy.origin import Origin
from gateway.policy.rulefile import rules_files
from gateway.policy.shipped import SPAMASSASSIN
from gateway.system import cflint
from gateway.tomlfile import Problem

_misnamed_re = re.compile(r"(?i)\.(?:toml|tml)(?:\.txt)?\Z")


def check(origins: Sequence[Origin], declared: Iterable[Fact]) -> int:
    """Report all problems and warnings, of SpamAssassin's rules beside them too. Exit status 0, or 2 where the rules
    cannot be used."""
    sets = loaded(origins, declared)
    broken = _check_spamassassin(origins)
    if sets is None or broken:
        return WRONG
    found = [(*lint(rules), *_unread(origin)) for origin, rules in zip(origins, sets, strict=True)]
    warnings = sorted(dict.fromkeys(chain.from_iterable(found)), key=attrgetter("file", "line", "column"))
    print_problems(replace(warning, message=f"warning: {warning.message}") for warning in warnings)
    for origin, rules, of_set in zip(origins, sets, found, strict=True):
        print(f"{len(rules.rules)} rules, version {rules.digest}: no errors, {len(of_set)} warnings")
        print(f"read from {', '.join(map(_described, origin.directories))}")
    return 0


def _unread(origin: Origin) -> Iterator[Problem]:
    """Files whose names are nearly those of rules files."""
    for directory in filter(Path.is_dir, origin.directories):
        for path in sorted(directory.iterdir()):
            if _misnamed_re.search(path.name) and path.suffix != ".toml" and not path.name.startswith("."):
                yield Problem(str(path), 1, 1, "this file is not read", "its name does not end in .toml")


def _described(directory: Path) -> str:
    if not directory.is_dir():
        return f"{directory} (not there)"
    count = len(rules_files(directory))
    return f"{directory} ({count} {'file' if count == 1 else 'files'})"


def _check_spamassassin(origins: Sequence[Origin]) -> bool:
    """Whether SpamAssassin, where it is installed, objects to its own rules."""
    if not cflint.is_installed():
        return False
    sets = dict.fromkeys(tuple(path / SPAMASSASSIN for path in origin.directories) for origin in origins)
    problems = dict.fromkeys(problem for directories in sets for problem in cflint.lint(directories))
    print_problems(problems)
    return bool(problems)
