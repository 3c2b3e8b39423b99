"""A line of what is shown of a check."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Report = Mapping[str, Any]  # of gateway.checks.base.Result


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    text: str


def with_reason(text: str, report: Report) -> str:
    """The text with the reason that the report has, if it has one."""
    return ": ".join(filter(None, (text, report["reason"])))
