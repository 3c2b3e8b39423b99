"""`mailward journal`: what is known of a message, how much there is, and remove what is old. `write` is the process
that keeps the journal; the supervisor starts it."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from msgspec.structs import asdict
from rich.text import Text

from gateway.cli.console import make_console, shown, when
from gateway.cli.options import WRONG, add_config, load_config, nothing_of
from gateway.cli.rows import Row, print_rows
from gateway.config import Settings
from gateway.journal.entry import Entry, Evaluation, Extent

Action = Callable[[Settings, str, argparse.Namespace], int]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("journal", help="what is known of a message, and how much is kept")
    add_config(parser)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    show = _add_action(actions, "show", _show, "show everything that is known of a message")
    show.add_argument("id", metavar="ID", help="the id of the message, as in the log")
    show.add_argument("--json", action="store_true", help="as JSON, a list of entries")
    status = _add_action(actions, "status", _status, "how much there is, and from when")
    status.add_argument("--json", action="store_true", help="as JSON")
    purge = _add_action(actions, "purge", _purge, "remove what is older than the expiry")
    purge.add_argument("--days", type=float, help="how old, instead of the expiry")
    write = actions.add_parser("write")
    add_config(write, default=argparse.SUPPRESS)
    write.add_argument("--feed", type=int, required=True, help=argparse.SUPPRESS)
    write.set_defaults(run=_write)


def _add_action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, act: Action, text: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=text)
    add_config(action, default=argparse.SUPPRESS)  # it may stand behind the action as well
    action.set_defaults(run=_runner(act))
    return action


def _runner(act: Action) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        settings = load_config(options)
        if settings is None:
            return WRONG
        if not settings.journal.enabled:
            _complain("[journal] enabled is false")
            return WRONG
        from gateway.journal.database import JournalError, name  # SQLAlchemy takes half a second to load

        place = settings.journal.place(settings.state_directory)
        try:
            return act(settings, place, options)
        except JournalError as error:
            return _complain(f"{name(place)}: {error}")

    return run


def _show(settings: Settings, place: str, options: argparse.Namespace) -> int:
    from gateway.journal.reader import reading

    with reading(place) as reader:
        entries, evaluations = reader.of(options.id), reader.evaluations_of(options.id)
    if not entries:
        return _complain(nothing_of(options.id))
    if options.json:
        report = {"entries": list(map(_plain, entries)), "dmarc": list(map(asdict, evaluations))}
        print(json.dumps(report, indent=2))
        return 0
    for entry in entries:
        print_rows(make_console(), list(_rows(entry)))
    for evaluation in evaluations:
        print_rows(make_console(), list(_evaluation_rows(evaluation)))
    return 0


def _plain(entry: Entry) -> dict[str, Any]:
    """For JSON. `facts` are those that were recorded, and those of `unrecorded` were cut or left out."""
    from gateway.facts import all_plain

    values = asdict(entry)
    del values["shown"]
    return values | {"facts": all_plain(entry.facts)}


def _rows(entry: Entry) -> Iterator[Row]:
    """What was noted of it, then its facts; what is empty is left out."""
    yield Text(entry.event, style="bold"), Text(entry.id, style="bold")
    values = asdict(entry)
    for name in ("event", "id", "facts", "shown", "unrecorded"):
        del values[name]
    values["began"] = when(entry.began)
    for name, value in values.items():
        if value or isinstance(value, float):
            yield Text(name), shown(_words(value))
    results = {name: value for name, value in entry.facts.items() if name.endswith(".result")}
    for name, value in sorted({**results, **entry.shown}.items()):
        cut = " (cut)" if name in entry.unrecorded else ""
        yield Text(name, style="dim"), shown(f"{_words(value)}{cut}")
    if left_out := [name for name in entry.unrecorded if name not in entry.shown]:
        yield Text("not recorded"), Text(", ".join(left_out))


def _evaluation_rows(evaluation: Evaluation) -> Iterator[Row]:
    """What DMARC reports would say of it."""
    yield Text("dmarc", style="bold"), shown(f"for reports to {evaluation.policy_domain}", style="bold")
    for name, value in asdict(evaluation).items():
        if value and name not in ("id", "began", "policy_domain", "dkim"):
            yield Text(name), shown(_words(value))
    for signature in evaluation.dkim:
        yield Text("dkim"), shown(" ".join(signature))


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {entry:.1f}" for name, entry in value.items())
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _status(settings: Settings, place: str, options: argparse.Namespace) -> int:
    from gateway.journal.database import name
    from gateway.journal.reader import reading

    with reading(place) as reader:
        extent = reader.extent()
    if options.json:
        print(json.dumps(asdict(extent)))
        return 0
    print_rows(make_console(), [(Text("journal"), shown(name(place))), *_extent_rows(extent)])
    return 0


def _extent_rows(extent: Extent) -> Iterator[Row]:
    yield Text("rows"), Text(f"{extent.rows:,}")
    if extent.first is not None and extent.last is not None:
        yield Text("from"), Text(when(extent.first))
        yield Text("to"), Text(when(extent.last))
    yield Text("size"), Text(f"{extent.octets / 2**20:,.1f} MiB")
    missing = ", ".join(f"{number:,} {reason}" for reason, number in extent.missing.items())
    yield Text("dropped"), Text(missing or "none that it knows of")
    yield Text("feedback"), Text(f"{extent.feedback:,}")


def _purge(settings: Settings, place: str, options: argparse.Namespace) -> int:
    from gateway.journal.database import for_writing
    from gateway.journal.retention import Retention

    days = settings.journal.expiry if options.days is None else options.days
    with closing(for_writing(place)) as database:
        removed = Retention(database, days=days, clock=time.time).remove_all()
    print(f"{removed} rows removed")
    return 0


def _write(options: argparse.Namespace) -> int:
    settings = load_config(options)
    if settings is None:
        return WRONG
    # Imported here: the help, and who is told that the settings are wrong, need not wait for it.
    from gateway.journal.process import run
    from gateway.system.listening import adopt
    from gateway.system.log import start_logging
    from gateway.system.metrics import JournalMetrics

    handler = start_logging(settings.log, on_drop=lambda lines: None)
    try:
        run(settings.journal, settings.state_directory, adopt(options.feed), JournalMetrics())
    finally:
        handler.close()
    return 0


def _complain(text: str) -> int:
    print(f"mailward journal: {text}", file=sys.stderr)
    return 1
