"""mailward quarantine: list, show, release and purge what was kept back."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table
from rich.text import Text

from gateway.cli.console import make_console
from gateway.cli.options import WRONG, add_config, load_config
from gateway.config import Settings
from gateway.delivery.label import LabelError
from gateway.delivery.quarantine import Entry, Kept, Quarantine, read
from gateway.delivery.release import Released, release
from gateway.delivery.routes import Routes, Surroundings, build_routes
from gateway.printable import printable

Action = Callable[[Quarantine, Settings, argparse.Namespace], int]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("quarantine", help="look at quarantined mail, release it, remove what is old")
    add_config(parser)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, act, text in (
        ("list", _list, "list what is there, the oldest first"),
        ("show", _show, "print one message, with why it was kept"),
        ("release", _release, "deliver one message to its recipients, and remove it"),
        ("purge", _purge, "remove what is older than the expiry"),
    ):
        action = actions.add_parser(name, help=text)
        add_config(action, default=argparse.SUPPRESS)  # it may stand behind the action as well
        if act in (_show, _release):
            action.add_argument("id", metavar="ID", help="the id of the message, as listed or as in the log")
        action.set_defaults(run=_runner(act))


def _runner(act: Action) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        settings = load_config(options)
        if settings is None:
            return WRONG
        if settings.quarantine.directory is None:
            _complain("[quarantine] has no directory, so quarantined mail is marked and delivered")
            return WRONG
        if act in (_release, _purge) and (owner := _other_owner(settings.quarantine.directory)):
            return _complain(f"what is made now would be root's: runuser -u {owner} -- mailward quarantine ...")
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="disk") as disk:
            try:
                return act(Quarantine(settings.quarantine, disk), settings, options)
            except (OSError, LabelError) as error:
                return _complain(str(error))

    return run


def _other_owner(directory: Path) -> str:
    """The account that a directory belongs to, where we are root and it is not ours; else ""."""
    if os.geteuid() != 0 or not directory.exists() or (uid := directory.stat().st_uid) == 0:
        return ""
    try:
        return directory.owner()
    except KeyError:  # it has no name here
        return str(uid)


def _list(quarantine: Quarantine, settings: Settings, options: argparse.Namespace) -> int:
    table = Table(box=None, pad_edge=False)
    for heading in ("ID", "Stored (UTC)", "Sender", "Recipients", "Reason", "Octets"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "ID")
    for entry in quarantine.entries():
        table.add_row(*map(Text, _row(entry)))
    make_console().print(table)
    return 0


def _row(entry: Entry) -> tuple[str, ...]:
    stored = f"{datetime.fromtimestamp(entry.stored, UTC):%Y-%m-%d %H:%M}"
    try:
        label = read(entry).label
    except (OSError, LabelError):
        return (entry.id, stored, "?", "?", "the file cannot be read", str(entry.size))
    recipients = ", ".join(str(recipient.address) for recipient in label.envelope.recipients)
    sender = f"<{label.envelope.reverse_path}>"
    return (entry.id, stored, printable(sender), printable(recipients), printable(label.reason), str(entry.size))


def _show(quarantine: Quarantine, settings: Settings, options: argparse.Namespace) -> int:
    entry = quarantine.find(options.id)
    if entry is None:
        return _unknown(options.id)
    sys.stdout.flush()
    with entry.path.open("rb") as file:
        while chunk := file.read(65536):
            sys.stdout.buffer.write(chunk)
    return 0


def _release(quarantine: Quarantine, settings: Settings, options: argparse.Namespace) -> int:
    entry = quarantine.find(options.id)
    if entry is None:
        return _unknown(options.id)
    results = asyncio.run(_hand_over(quarantine, read(entry), settings))
    for result in results:
        print(f"{result.recipient.address}: {result.reply}")
    return 0 if all(result.reply.is_success for result in results) else 1


async def _hand_over(quarantine: Quarantine, kept: Kept, settings: Settings) -> list[Released]:
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="disk") as disk:
        routes = _routes(settings, disk)
        try:
            return await release(quarantine, kept, routes.hop_for)
        finally:
            routes.close()


def _routes(settings: Settings, disk: Executor) -> Routes:
    return build_routes(settings.route, settings.domain, Surroundings(hostname=settings.hostname, disk=disk))


def _purge(quarantine: Quarantine, settings: Settings, options: argparse.Namespace) -> int:
    print(f"{quarantine.purge()} messages removed")
    return 0


def _unknown(identity: str) -> int:
    return _complain(f"there is no message {identity} in the quarantine")


def _complain(text: str) -> int:
    print(f"mailward quarantine: {text}", file=sys.stderr)
    return 1
