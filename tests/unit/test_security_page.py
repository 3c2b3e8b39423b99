"""docs/security.md: each promise names tests, and they are there."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "security.md"

_section_re = re.compile(r"^## What is promised$(.*?)^## ", re.MULTILINE | re.DOTALL)
_row_re = re.compile(r"^\| (?!promise |-)(.+) \|$", re.MULTILINE)
_path_re = re.compile(r"`([^`]+)`")


def promises() -> list[list[str]]:
    [section] = _section_re.findall(PAGE.read_text())
    return [row.split(" | ") for row in _row_re.findall(section)]


def test_each_promise_says_how_it_is_kept_and_names_tests_that_are_there() -> None:
    rows = promises()
    assert len(rows) > 10
    for promise, how, shown_by in rows:
        paths = _path_re.findall(shown_by)
        assert promise, how
        assert paths, promise
        assert [path for path in paths if not (TESTS / path).exists()] == [], promise
