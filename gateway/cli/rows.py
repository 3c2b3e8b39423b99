"""Rows: prints texts in columns, of which the last one is folded below its own beginning where the terminal is too
narrow for it."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

GAP = 2  # spaces between columns
MIN_WIDTH = 20  # characters of the last column, however narrow the terminal is

Row = tuple[Text, ...]  # as many in every row


def print_rows(console: Console, rows: Sequence[Row]) -> None:
    """No line ends with spaces."""
    widths = [max(len(cell) for cell in column) + GAP for column in list(zip(*rows, strict=True))[:-1]]
    width = max(console.width - sum(widths), MIN_WIDTH)
    for *labels, text in rows:
        beginning = Text()
        for label, label_width in zip(labels, widths, strict=True):
            beginning += _padded(label, label_width)
        for line in text.wrap(console, width, overflow="fold") or [Text()]:
            printed = beginning + line
            printed.rstrip()
            console.print(printed, soft_wrap=True)
            beginning = Text(" " * sum(widths))


def _padded(label: Text, width: int) -> Text:
    return label + Text(" " * (width - len(label)))
