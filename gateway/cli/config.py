"""`mailward config`: finds every error of the configuration and of what it names; prints what spamd must know of it."""

import argparse

from gateway.cli.options import WRONG, add_config, load_config, print_problems
from gateway.config import load
from gateway.scoring.trust import render_trust


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("config", help="check the configuration")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    check = actions.add_parser("check", help="find every error of the configuration and of the rules")
    add_config(check)
    check.set_defaults(run=run)
    trust = actions.add_parser("trust", help="print whom SpamAssassin must trust, as its configuration has it")
    add_config(trust)
    trust.set_defaults(run=print_trust)


def print_trust(options: argparse.Namespace) -> int:
    settings = load_config(options)
    if settings is None:
        return WRONG
    print(render_trust(settings.networks.own, settings.networks.relays, settings.identity), end="")
    return 0


def run(options: argparse.Namespace) -> int:
    from gateway.preflight import problems_of
    from gateway.rulesets import load_profiles

    if problems := problems_of(options.config):
        print_problems(problems)
        return WRONG
    rules = load_profiles(load(options.config)).default
    print(f"{options.config}: no errors; {len(rules.rules)} rules, version {rules.digest}")
    return 0
