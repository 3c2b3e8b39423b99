"""Why: turns what a check found into the lines that show people what it is, and by what it was found."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.checks.base import Result, Unavailable
from gateway.cli.why import arc, dkim, dmarc, spf
from gateway.cli.why.line import Line, Report
from gateway.facts import Facts

__all__ = ["Line", "explain"]

_KNOWN: Mapping[str, tuple[Callable[[Any, Facts], str], Callable[[Any], Iterator[Line]]]] = {
    "spf": (spf.headline, spf.lines),
    "dkim": (dkim.headline, dkim.lines),
    "arc": (arc.headline, arc.lines),
    "dmarc": (dmarc.headline, dmarc.lines),
}


def explain(name: str, result: Result) -> list[Line]:
    """The lines of a check: its result, and by what that was found."""
    report = result.report()
    known = None if isinstance(result, Unavailable) else _KNOWN.get(name)
    if known is None:
        findings = report if isinstance(report, list) else [report]
        return [Line(str(one.get("result", "")), _details(one)) for one in findings] or [Line("none", "")]
    headline, lines = known
    facts = result.facts()
    return [Line(str(facts.get(f"{name}.result", "none")), headline(report, facts)), *lines(report)]


def _details(report: Report) -> str:
    """Whatever a report has, in one line."""
    stated = ((key, value) for key, value in report.items() if key != "result" and not _says_nothing(value))
    return " ".join(f"{key}={','.join(map(str, value)) if isinstance(value, list) else value}" for key, value in stated)


def _says_nothing(value: Any) -> bool:
    return value is False or value in ("", None, [])
