"""mailward rules: check the rules files, run their examples and directories of messages, replay them on the journal,
tell what they hit, have the service take them up.

Problems are written to standard error in the form file:line:column: message, which editors follow.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from gateway.cli.options import WRONG, add_config, add_dns
from gateway.cli.rules.errors import check
from gateway.cli.rules.examples import test, test_messages
from gateway.cli.rules.explaining import explain
from gateway.cli.rules.moments import moment
from gateway.cli.rules.reloading import SECONDS, reload
from gateway.cli.rules.replaying import LIMIT, replay
from gateway.cli.rules.sets import chosen_origins, settings_of
from gateway.cli.rules.stats import picture_path, stats


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("rules", help="check the rules files, test them, have them taken up")
    parser.description = (
        "Rules decide what becomes of a message. After a change: check, test, perhaps replay; then reload."
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    action = _action(actions, "check", "find every error of every rules file, and what is worth a second thought")
    action.epilog = "Exit status: 0, also with warnings; 2 where there is an error."
    _add_directories(action)
    action.set_defaults(run=_check)

    action = _action(actions, "test", "run the examples in the rules, or examine messages whose verdict is known")
    action.epilog = "Exit status: 0; 1 where something is judged otherwise than it is expected to be; 2 after an error."
    _add_directories(action)
    action.add_argument(
        "--messages",
        metavar="DIR",
        type=Path,
        help="a directory of messages with a cases.toml that says what the rules make of each",
    )
    action.set_defaults(run=_test)

    _add_replay(_action(actions, "replay", "tell which verdicts of the journal would be others by these rules"))

    _add_stats(_action(actions, "stats", "tell what each rule hits and how right it is, and what thresholds would do"))

    action = _action(actions, "explain", "show each rule, part by part, for a message of the journal, and what decides")
    action.epilog = "Exit status: 0; 1 where the journal has nothing of ID; 2 after an error."
    action.add_argument("id", metavar="ID", help="the id of the message, as in the log")
    _add_recordings(action)
    action.set_defaults(run=explain)

    action = _action(actions, "reload", "check everything, and have the running service take it up")
    action.epilog = (
        "Exit status: 0: it is in force; 1: it is not, or nobody knows; 2: there is an error, and the old rules stay."
    )
    add_config(action, default=None)
    action.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=SECONDS,
        help="how long to wait for the outcome (%(default)g)",
    )
    action.set_defaults(run=_reload)

    action = _action(actions, "schema", "print a JSON schema of rules files, by which editors complete and check them")
    action.set_defaults(run=_schema)


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    return actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit status: 0: every verdict stays as it was; 1: one would change, or is undecidable; 2: an error."
    )
    parser.add_argument(
        "--since", metavar="TIME", type=_time, required=True, help="how long ago (7d, 12h, 30m), or from which date on"
    )
    parser.add_argument("--until", metavar="TIME", type=_time, help="until when, in the same way (default: now)")
    _add_recordings(parser)
    parser.add_argument(
        "--limit",
        metavar="N",
        type=_count,
        default=LIMIT,
        help="messages that are listed (%(default)s); all are counted",
    )
    parser.set_defaults(run=replay)


def _add_stats(parser: argparse.ArgumentParser) -> None:
    """One set of rules judges all: entries that were recorded under other versions are judged by it as well."""
    parser.description = (
        "Judge the messages of the journal, or of directories, by the rules of the configuration or those of --rules; "
        "tell what each rule hits and, where it is known what messages are, how right it is; tell what thresholds "
        "would do."
    )
    parser.add_argument(
        "--since",
        metavar="TIME",
        type=_time,
        help="how long ago (7d, 12h, 30m), or from which date on (default: all of the journal)",
    )
    parser.add_argument("--until", metavar="TIME", type=_time, help="until when, in the same way (default: now)")
    for kind in ("ham", "spam"):
        parser.add_argument(
            f"--{kind}",
            metavar="DIR",
            type=Path,
            action="append",
            default=[],
            help=f"examine the messages in this directory, which are {kind}, in place of the journal; repeatable",
        )
    add_dns(parser)
    _add_recordings(parser)
    parser.add_argument(
        "--picture",
        metavar="FILE",
        type=picture_path,
        help="draw the distributions of the scores, with the thresholds: an .html or a .png file",
    )
    parser.set_defaults(run=stats)


def _add_recordings(parser: argparse.ArgumentParser) -> None:
    add_config(parser, default=None)
    _add_rules(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")


def _time(text: str) -> float:
    return moment(text, time.time())


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no number of messages")
    return int(text)


def _add_rules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rules",
        metavar="DIR",
        type=Path,
        help="rules that stand in place of the site's (default: those of the configuration)",
    )


def _add_directories(parser: argparse.ArgumentParser) -> None:
    add_config(parser, default=None)
    _add_rules(parser)
    parser.add_argument(
        "directories",
        metavar="DIR",
        nargs="*",
        type=Path,
        help="a directory of rules files; a later one may change rules of those before it "
        "(default: the shipped rules, then those of the configuration)",
    )


def _check(options: argparse.Namespace) -> int:
    from gateway.vocabulary import FACTS  # it imports every check: not for `mailward --help`

    if options.rules and options.directories:
        return _wrong("check: --rules stands in place of the site's rules, and no DIR goes with it")
    origins = chosen_origins(options)
    return WRONG if origins is None else check(origins, FACTS)


def _test(options: argparse.Namespace) -> int:
    from gateway.vocabulary import FACTS

    if options.rules and options.directories:
        return _wrong("test: --rules stands in place of the site's rules, and no DIR goes with it")
    if options.messages and options.directories:
        return _wrong("test: messages are judged by the rules of --config or --rules, and no DIR goes with --messages")
    if options.messages:
        settings = settings_of(options)
        return WRONG if settings is None else test_messages(options.messages, settings, options.rules)
    origins = chosen_origins(options)
    return WRONG if origins is None else test(origins, FACTS)


def _reload(options: argparse.Namespace) -> int:
    return reload(options.config, options.timeout)


def _wrong(text: str) -> int:
    print(f"mailward rules {text}", file=sys.stderr)
    return WRONG


def _schema(_: argparse.Namespace) -> int:
    from gateway.policy.schema import schema
    from gateway.vocabulary import FACTS

    print(json.dumps(schema(FACTS), indent=2))
    return 0
