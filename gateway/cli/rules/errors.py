"""mailward rules check: every error of every set of rules, and warnings."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.cli.options import WRONG, print_problems
from gateway.cli.rules.sets import loaded
from gateway.facts import Fact
from gateway.policy.lint import lint
from gateway.policy.origin import Origin
from gateway.system import cflint

SPAMASSASSIN = "spamassassin"  # beside rules files, the directory of SpamAssassin's own rules


def check(origins: Sequence[Origin], declared: Iterable[Fact]) -> int:
    """Report all problems and warnings, of SpamAssassin's rules beside them too. Exit status 0, or 2 where the rules
    cannot be used."""
    sets = loaded(origins, declared)
    broken = _check_spamassassin(origins)
    if sets is None or broken:
        return WRONG
    warnings = dict.fromkeys(warning for rules in sets for warning in lint(rules))
    print_problems(replace(warning, message=f"warning: {warning.message}") for warning in warnings)
    for origin, rules in zip(origins, sets, strict=True):
        print(f"{len(rules.rules)} rules, version {rules.digest}: no errors, {len(warnings)} warnings")
        print(f"read from {', '.join(str(path) for path in origin.directories if path.is_dir())}")
    return 0


def _check_spamassassin(origins: Sequence[Origin]) -> bool:
    """Whether SpamAssassin, where it is installed, objects to its own rules."""
    directories = dict.fromkeys(directory for origin in origins for directory in origin.directories)
    beside = [path for directory in directories if (path := directory / SPAMASSASSIN).is_dir()]
    if not beside or not cflint.is_installed():
        return False
    problems = [problem for directory in beside for problem in cflint.lint(directory)]
    print_problems(problems)
    return bool(problems)
