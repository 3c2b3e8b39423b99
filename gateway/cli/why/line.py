"""A line of what is shown of a check."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

Report = Mapping[str, Any]  # of gateway.checks.base.Result


class Line(Struct, frozen=True):
    label: str
    text: str


def with_reason(text: str, report: Report) -> str:
    """The text with the reason that the report has, if it has one."""
    return ": ".join(filter(None, (text, report["reason"])))
