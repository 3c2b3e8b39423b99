"""`mailward panic`: makes the whole gateway tag-only at once, and back. The workers see it at their next message."""

import argparse
import sys

from gateway.cli.options import WRONG, add_config, load_config
from gateway.system.panic import Panic


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("panic", help="make the whole gateway tag-only at once, and back")
    add_config(parser)
    parser.add_argument("switch", choices=_SWITCHES, help="status ends with 1 while it is on")
    parser.add_argument("--why", default="", metavar="TEXT", help="a note for those who ask for the status")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    settings = load_config(options)
    if settings is None:
        return WRONG
    panic = Panic(settings.state_directory)
    try:
        return _SWITCHES[options.switch](panic, options.why)
    except OSError as error:
        print(f"mailward panic: {panic.path}: {error.strerror}", file=sys.stderr)
        return 1


def _on(panic: Panic, why: str) -> int:
    panic.switch_on(why)
    print("panic is on: every message is accepted, at most tagged")
    return 0


def _off(panic: Panic, _: str) -> int:
    panic.switch_off()
    print("panic is off: the rules decide")
    return 0


def _status(panic: Panic, _: str) -> int:
    if not panic.is_on():
        print("panic is off")
        return 0
    why = panic.why()
    print(f"panic is on: {why}" if why else "panic is on")
    return 1


_SWITCHES = {"on": _on, "off": _off, "status": _status}
