"""Marks: turns a verdict and its facts into the header fields that tell mail readers and filters behind us."""

import re
from collections.abc import Iterable
from functools import lru_cache

from gateway.authres.folding import MAX_LINE, field
from gateway.facts import Facts
from gateway.policy.verdict import Action, Hit, Mode, Verdict

MAX_SYMBOLS = 200  # of SpamAssassin's some 1500; what hits more of them needs no more names

EXEMPT = "exempt"  # the word of spam.result where a rule wanted no score

_symbol_re = re.compile(r"[A-Za-z0-9_]{1,64}\Z")
_usual_field = lru_cache(256)(field)  # of what is said again and again


def marks(verdict: Verdict, facts: Facts) -> bytes:
    """Every X-Mailward-* and X-Spam-* field of a message that goes on."""
    return _verdict_field(verdict.action, verdict.hits) + _score_fields(facts, verdict.unscanned_by)


def spam_fields(*, score: float, required: float, symbols: Iterable[str]) -> bytes:
    """X-Spam-Flag, X-Spam-Score and X-Spam-Status, as SpamAssassin itself writes them."""
    is_spam = score >= required
    shown = f"{score if is_spam else min(score, required - 0.1):.1f}"  # 4.96 of 5.0 is not shown as 5.0
    status = f"{'Yes' if is_spam else 'No'}, score={shown} required={required:.1f}"
    return b"".join(
        (
            _usual_field("X-Spam-Flag", "YES" if is_spam else "NO"),
            _usual_field("X-Spam-Score", shown),
            field("X-Spam-Status", status, *_symbol_lines(symbols)),
        )
    )


@lru_cache(256)
def _verdict_field(action: Action, hits: tuple[Hit, ...]) -> bytes:
    """The rules that asked for what was done, by their ids; or for more, where the site has switched to tagging
    only."""
    name = _FIELD_OF.get(action)
    if name is None:
        return b""
    asked = [hit for hit in hits if hit.action and hit.action.severity >= action.severity and hit.mode is Mode.ENFORCE]
    return field(name, ", ".join(hit.rule for hit in asked) or "yes")


_FIELD_OF = {Action.TAG: "X-Mailward-Tag", Action.QUARANTINE: "X-Mailward-Quarantine"}


def _score_fields(facts: Facts, unscanned_by: str) -> bytes:
    """Those of a message without a score say so: it is not one that scored nothing."""
    result = facts.get("spam.result", "unavailable")
    score, required, symbols = facts.get("spam.score"), facts.get("spam.required"), facts.get("spam.symbols")
    if result != "scored" or not isinstance(score, int | float) or not isinstance(required, int | float):
        why = f"{result}: {unscanned_by}" if unscanned_by and result == EXEMPT else str(result)
        return _usual_field("X-Mailward-Unscored", why)
    return spam_fields(score=score, required=required, symbols=symbols if isinstance(symbols, tuple) else ())


def _symbol_lines(symbols: Iterable[str]) -> list[str]:
    """tests=A,B,C broken behind commas. What is no rule's name is left out."""
    names = [name for name in symbols if _symbol_re.match(name)][:MAX_SYMBOLS]
    lines = ["tests="]
    for name in names or ["none"]:
        if len(lines[-1]) + len(name) + 2 > MAX_LINE:
            lines.append("")
        lines[-1] += f"{name},"
    lines[-1] = lines[-1].removesuffix(",")
    return lines
