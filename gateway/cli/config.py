"""`mailward config check`: finds every error of the configuration, of what it names, and of the rules."""

import argparse

from gateway.cli.options import WRONG, add_config, load_config, print_problems
from gateway.policy.rules import RulesError


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("config", help="check the configuration")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    check = actions.add_parser("check", help="find every error of the configuration and of the rules")
    add_config(check)
    check.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from gateway.serve import load_rules, problems_of_files

    settings = load_config(options)
    if settings is None:
        return WRONG
    problems: list[object] = list(problems_of_files(settings))
    try:
        rules = load_rules(settings)
    except RulesError as error:
        problems += error.problems
    else:
        summary = f"{options.config}: no errors; {len(rules.rules)} rules, version {rules.digest}"
    print_problems(problems)
    if problems:
        return WRONG
    print(summary)
    return 0
