"""The report of `mailward check` for people: what each check found and by what, the rules that matched and why, the
verdict."""

from collections.abc import Collection, Iterator

from rich.text import Text

from gateway.cli.console import make_console, shown
from gateway.cli.rows import Row, print_rows
from gateway.cli.rulerows import decision_rows, rule_rows
from gateway.cli.why import explain
from gateway.inspection import Inspection
from gateway.policy.verdict import Action

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


EVERY_RULE = "all"


def show(found: Inspection, rules: Collection[str] = ()) -> None:
    """Print the report on standard output; in colour only where that is a terminal. Of the rules that do not match
    those of `rules` are shown, or every one."""
    console = make_console()
    print_rows(console, list(_check_rows(found)))
    print_rows(console, list(_outcome_rows(found, rules)))


def _check_rows(found: Inspection) -> Iterator[Row]:
    answers = found.examination.answers
    for name, result in answers.results.items():
        first, *others = explain(name, result)
        duration = f"{answers.milliseconds[name]:.1f} ms"
        yield Text(name), _word(first.label), shown("  ".join(filter(None, (first.text, duration))))
        for line in others:
            yield Text(), _word(line.label), shown(line.text)


def _word(label: str) -> Text:
    return Text(label, style=_COLOURS.get(label, ""))


def _outcome_rows(found: Inspection, rules: Collection[str]) -> Iterator[Row]:
    for refusal in found.refused:
        what = f"at {refusal.moment}, for {refusal.what}: {refusal.reply}"
        yield Text("refused", style="bold red"), shown(what, style="bold red")
    for explanation in found.explanations:
        yield from rule_rows("rule", explanation.rule, explanation.parts)
    for explanation in found.unmatched:
        if EVERY_RULE in rules or explanation.rule.id in rules:
            yield from rule_rows("no match", explanation.rule, explanation.parts)
    verdict = found.examination.verdict
    yield Text("verdict"), Text(verdict.action.value, style=_ACTION_COLOURS[verdict.action])
    yield from decision_rows(verdict)
    if verdict.reply:
        yield Text("reply"), shown(str(verdict.reply))
    if "spam.result" in found.examination.facts:
        yield Text("total"), Text(f"{verdict.total:g}")
    yield Text("field"), shown(f"Authentication-Results: {found.authentication_results}")
