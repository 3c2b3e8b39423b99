"""mailward rules replay: what rules would have made of the messages in the journal, from what to what."""

import argparse
import heapq
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict
from rich.text import Text

from gateway.cli.console import make_console, shown, when
from gateway.cli.options import WRONG
from gateway.cli.rows import print_rows
from gateway.cli.rules.recording import Recordings, opened

if TYPE_CHECKING:
    from gateway.cli.rules.comparison import Change, Comparison

LIMIT = 1000  # changes that are listed; all are counted


def replay(options: argparse.Namespace) -> int:
    """Exit status 0 where every verdict stays, 1 where one would change or is undecidable, 2 after an error."""
    recordings = opened(options)
    if recordings is None:
        return WRONG
    from gateway.cli.rules.comparison import Comparison
    from gateway.journal.database import JournalError
    from gateway.policy.replay import Replay

    comparison = Comparison(Replay(recordings.profiles))
    try:
        changed = comparison.changed(recordings.between(options.since, options.until))
        # At least one, since for none the entries are not even read.
        listed = heapq.nsmallest(max(options.limit, 1), changed, key=lambda change: change.place)[: options.limit]
    except JournalError as error:
        print(f"mailward rules replay: {recordings.name}: {error}", file=sys.stderr)
        return WRONG
    if options.json:
        print(json.dumps(_report(recordings, comparison, listed), indent=2))
    else:
        _print(comparison, listed)
    return 1 if comparison.changes or comparison.undecidable else 0


def _report(recordings: Recordings, comparison: "Comparison", listed: "list[Change]") -> dict[str, Any]:
    return {
        "verdicts": comparison.verdicts,
        "changed": comparison.changes.total(),
        "undecidable": comparison.undecidable,
        "unjudged": comparison.unjudged,
        "rules": recordings.profiles.digests,
        "changes": [{"then": then, "now": now, "count": count} for (then, now), count in _counted(comparison)],
        "undecidable_rules": [
            {"rule": rule, "facts": sorted(unread.facts), "messages": unread.messages, "first": unread.first}
            for rule, unread in sorted(comparison.unread.items())
        ],
        "messages": [asdict(change) for change in listed],
    }


def _counted(comparison: "Comparison") -> list[tuple[tuple[str, str], int]]:
    return sorted(comparison.changes.items(), key=lambda counted: (-counted[1], counted[0]))


def _print(comparison: "Comparison", listed: "list[Change]") -> None:
    console = make_console()
    changed = comparison.changes.total()
    undecidable = f", {_are(comparison.undecidable)} undecidable" if comparison.undecidable else ""
    console.print(f"{changed:,} of {comparison.verdicts:,} verdicts would change{undecidable}", soft_wrap=True)
    for (then, now), count in _counted(comparison):
        console.print(f"  {count:,} from {then} to {now}", soft_wrap=True)
    for line in _unread_lines(comparison):
        console.print(line, soft_wrap=True)
    if listed:
        print_rows(console, [_row(change) for change in listed])
    if changed > len(listed):
        console.print(f"and {changed - len(listed):,} more: --limit lists them", soft_wrap=True)


def _unread_lines(comparison: "Comparison") -> Iterator[Text]:
    for rule, unread in sorted(comparison.unread.items()):
        facts = ", ".join(sorted(unread.facts))
        messages = f"{unread.messages:,} message{'' if unread.messages == 1 else 's'}"
        yield shown(f"undecidable: rule {rule} reads {facts}, not recorded of {messages}, such as {unread.first}")


def _row(change: "Change") -> tuple[Text, ...]:
    by = f"by {change.decisive}" if change.decisive else "no rule asks for more"
    return (
        shown(change.sender or "<>"),
        Text(f"{change.then} -> {change.now}"),
        shown(change.id),
        Text(when(change.began)),
        shown(f"{by}, for {', '.join(change.recipients)}"),
    )


def _are(number: int) -> str:
    return f"{number:,} {'is' if number == 1 else 'are'}"
