"""The report of `mailward check` for people: a table of checks, the rules that matched and why, and the verdict."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.console import make_console, shown
from gateway.inspection import Explanation, Inspection
from gateway.policy.verdict import Action, Mode

_COLOURS = {
    "pass": "green",
    "scored": "green",
    "fail": "red",
    "softfail": "yellow",
    "permerror": "yellow",
    "temperror": "yellow",
    "unavailable": "yellow",
    "busy": "yellow",
    "policy": "yellow",
}
_ACTION_COLOURS = {
    Action.ACCEPT: "green",
    Action.TAG: "yellow",
    Action.QUARANTINE: "yellow",
    Action.DEFER: "red",
    Action.REJECT: "bold red",
}


def show(found: Inspection) -> None:
    """Print the report on standard output; in colour only where that is a terminal."""
    console = make_console()
    console.print(_checks(found))
    for explanation in found.explanations:
        _show_rule(console, explanation)
    verdict = found.examination.verdict
    console.print(Text("verdict  ").append(verdict.action.value, style=_ACTION_COLOURS[verdict.action]))
    if verdict.reply:
        console.print(shown(f"reply    {verdict.reply}"))
    if "spam.result" in found.examination.facts:
        console.print(Text(f"total    {verdict.total:g}"))
    console.print(shown(f"field    Authentication-Results: {found.authentication_results}"))


def _checks(found: Inspection) -> Table:
    answers = found.examination.answers
    table = Table(box=None, pad_edge=False)
    for heading in ("check", "result", "details"):
        table.add_column(heading)
    table.add_column("ms", justify="right")
    for name, result in answers.results.items():
        duration = f"{answers.milliseconds[name]:.1f}"
        findings = result.report()
        for finding in (findings if isinstance(findings, list) else [findings]) or [{"result": "none"}]:
            word, details = _split(finding)
            table.add_row(name, Text(word, style=_COLOURS.get(word, "")), shown(details), duration)
            name = duration = ""
    return table


def _split(finding: Mapping[str, Any]) -> tuple[str, str]:
    """The result word of a finding, and the rest of it in one line."""
    details = (
        f"{key}={_shown(value)}" for key, value in finding.items() if key != "result" and value not in ("", None, [])
    )
    return str(finding.get("result", "")), " ".join(details)


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _show_rule(console: Console, explanation: Explanation) -> None:
    rule = explanation.rule
    what = rule.action.value if rule.action else f"{rule.hit.score:+g}"
    shadow = " (shadow: not carried out)" if rule.hit.mode is Mode.SHADOW else ""
    console.print(Text("rule     ").append(f"{rule.id}: {what}{shadow}", style="bold").append(f"  {rule.hit.why}"))
    for part in explanation.parts:
        values = ", ".join(f"{name} is {value!r}" for name, value in part.facts)
        console.print(Text(f"         {'yes' if part.value else 'no ':3} {part.text}  ({values})", style="dim"))
