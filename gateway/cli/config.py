"""`mailward config`: finds every error of the configuration and of what it names; tells spamd what it must know."""

import argparse
import sys
from pathlib import Path

from gateway.cli.options import WRONG, add_config, load_config, print_problems
from gateway.config import load
from gateway.policy.shipped import SPAMASSASSIN, shipped_rules
from gateway.scoring.trust import render_trust
from gateway.system.spamd_site import write_site


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("config", help="check the configuration")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    check = actions.add_parser("check", help="find every error of the configuration and of the rules")
    add_config(check)
    check.set_defaults(run=run)
    trust = actions.add_parser("trust", help="print whom SpamAssassin must trust, as its configuration has it")
    add_config(trust)
    trust.set_defaults(run=print_trust)
    site = actions.add_parser("spamassassin", help="write all that spamd is to read besides its own rules")
    site.add_argument("directory", metavar="DIR", type=Path, help="what spamd is given as --siteconfigpath")
    add_config(site)
    site.set_defaults(run=write_site_for_spamd)


def print_trust(options: argparse.Namespace) -> int:
    settings = load_config(options)
    if settings is None:
        return WRONG
    print(render_trust(settings.networks.own, settings.networks.relays, settings.identity), end="")
    return 0


def write_site_for_spamd(options: argparse.Namespace) -> int:
    settings = load_config(options)
    if settings is None:
        return WRONG
    trust = render_trust(settings.networks.own, settings.networks.relays, settings.identity)
    rules = (shipped_rules() / SPAMASSASSIN, settings.rules.site / SPAMASSASSIN)
    try:
        write_site(options.directory, rules=rules, further={"90-trust.cf": trust})
    except OSError as error:
        print(f"mailward config: {error}", file=sys.stderr)
        return 1
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
