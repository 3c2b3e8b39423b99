"""The examples in docs/, so that tests can run what operators copy."""

import re
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
