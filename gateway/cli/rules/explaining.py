"""mailward rules explain: the rules as they apply to a message in the journal, part by part, and what decides."""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.text import Text

from gateway.cli.console import make_console, shown, when
from gateway.cli.options import WRONG, nothing_of
from gateway.cli.rows import Row, print_rows
from gateway.cli.rules.recording import opened

if TYPE_CHECKING:
    from gateway.journal.entry import Entry
    from gateway.policy.account import Account
    from gateway.policy.language import Explained
    from gateway.policy.replay import Outcome, Replay


def explain(options: argparse.Namespace) -> int:
    """Exit status 0, 1 where the journal has nothing of that id, 2 after an error."""
    recordings = opened(options)
    if recordings is None:
        return WRONG
    from gateway.journal.database import JournalError
    from gateway.policy.replay import Replay

    try:
        entries = recordings.of(options.id)
    except JournalError as error:
        return _complain(f"{recordings.name}: {error}", WRONG)
    if not entries:
        return _complain(nothing_of(options.id), 1)
    replay = Replay(recordings.profiles)
    if options.json:
        print(json.dumps([_report(entry, replay) for entry in entries], indent=2))
        return 0
    for entry in entries:
        print_rows(make_console(), list(_rows(entry, replay)))
    return 0


def _complain(text: str, status: int) -> int:
    print(f"mailward rules explain: {text}", file=sys.stderr)
    return status


def _outcome(entry: "Entry", replay: "Replay") -> "Outcome | None":
    """None where no rule had a say: the next hop refused a recipient, or the message never came."""
    from gateway.cli.rules.comparison import is_judged, recorded

    return replay.outcome(recorded(entry)) if is_judged(entry) else None


def _rows(entry: "Entry", replay: "Replay") -> Iterator[Row]:
    from gateway.cli.rulerows import decision_rows, rule_rows
    from gateway.policy.account import accounts

    yield Text(entry.event, style="bold"), shown(f"{entry.id}  {when(entry.began)}", style="bold")
    outcome = _outcome(entry, replay)
    if outcome is None:
        yield Text("rules"), shown(f"none had a say: {entry.reply or 'the message never came'}")
        return
    yield Text("version"), shown(_version(entry, outcome))
    for account in accounts(outcome):
        yield from rule_rows(account.standing, account.rule, account.parts)
    if outcome.total is not None:
        yield Text("total"), Text(f"{outcome.total:g}")
    if entry.panic:
        yield Text("panic"), Text("the switch was on")
    yield Text("then"), shown(_then(entry))
    if not outcome.is_certain:
        yield Text("verdict"), Text("undecidable: it depends on what was not recorded", style="bold")
        return
    yield Text("verdict"), Text(outcome.verdict.action, style="bold")
    yield from decision_rows(outcome.verdict)


def _version(entry: "Entry", outcome: "Outcome") -> str:
    if entry.rules_digest == outcome.rules.digest:
        return f"{entry.rules_digest}, which was in force then"
    return f"{outcome.rules.digest}, and not {entry.rules_digest}, which was in force then"


def _then(entry: "Entry") -> str:
    return f"{entry.action}  by {', '.join(entry.rules)}" if entry.rules else entry.action


def _report(entry: "Entry", replay: "Replay") -> dict[str, Any]:
    from gateway.policy.account import accounts

    known = {"id": entry.id, "event": entry.event, "began": entry.began, "reply": entry.reply, "panic": entry.panic}
    then = {"action": entry.action, "rules": list(entry.rules), "version": entry.rules_digest}
    outcome = _outcome(entry, replay)
    if outcome is None:
        return {**known, "then": then, "now": None, "rules": []}
    hit = outcome.verdict.decisive
    now = {
        "action": outcome.verdict.action.value if outcome.is_certain else None,
        "decided_by": hit.rule if hit and outcome.is_certain else "",
        "total": outcome.total,
        "version": outcome.rules.digest,
    }
    return {**known, "then": then, "now": now, "rules": [_rule_report(account) for account in accounts(outcome)]}


def _rule_report(account: "Account") -> dict[str, Any]:
    return {
        "rule": account.rule.id,
        "standing": account.standing.value,
        "asks_for": account.rule.asks_for,
        "mode": account.rule.hit.mode.value,
        "parts": [_part_report(part) for part in account.parts],
    }


def _part_report(part: "Explained") -> dict[str, Any]:
    from gateway.facts import all_plain

    facts = all_plain(dict(part.facts))
    return {"text": part.text, "value": part.value, "facts": facts, "not_recorded": list(part.unknown)}
