"""The examples in docs/, so that tests can run what operators copy."""

import re
from itertools import takewhile
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"

_block_re = re.compile(r"^```(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: str, language: str) -> list[str]:
    """The fenced blocks of that language on a page of docs/."""
    text = (DOCS / page).read_text()
    return [block for named, block in _block_re.findall(text) if named == language]


def example(page: str, language: str) -> str:
    (only,) = examples(page, language)
    return only


def rows(page: str, *columns: str) -> list[tuple[str, ...]]:
    """The rows of the table on a page of docs/ whose columns are headed so."""
    text = (DOCS / page).read_text()
    _, found, rest = text.partition(f"| {' | '.join(columns)} |\n")
    assert found, f"{page} has no table with the columns {columns}"
    lines = takewhile(lambda line: line.startswith("|"), rest.splitlines()[1:])
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
