"""Rule rows: for people, a rule with the value of each part of its condition, and what decided."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from gateway.cli.console import shown
from gateway.cli.rows import Row
from gateway.policy.language import Explained
from gateway.policy.rule import Rule
from gateway.policy.verdict import Mode, Verdict

_WORDS = {True: "yes", False: "no ", None: "?  "}


def rule_rows(label: str, rule: Rule, parts: Sequence[Explained]) -> Iterator[Row]:
    shadow = " (shadow: not carried out)" if rule.hit.mode is Mode.SHADOW else ""
    asked = Text(f"{rule.id}: {rule.asks_for}{shadow}", style="bold")
    yield Text(label), asked.append(f"  {rule.hit.why}", style="not bold")
    for part in parts:
        yield Text(), shown(f"{_WORDS[part.value]} {part.text}  ({_values(part)})", style="dim")


def _values(part: Explained) -> str:
    known = (f"{name} is {value!r}" for name, value in part.facts)
    return ", ".join((*known, *(f"{name} was not recorded" for name in part.unknown)))


def decision_rows(verdict: Verdict) -> Iterator[Row]:
    """Which rule asks for the action, or for more than is done; none where no rule asks for anything."""
    if (hit := verdict.decisive) and hit.action:
        asked = "" if hit.action is verdict.action else f", which asks for {hit.action}"
        yield Text("decided"), Text(f"by {hit.rule}{asked}")
