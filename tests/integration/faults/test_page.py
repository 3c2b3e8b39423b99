"""docs/operating.md: every fault in its table is shown by a test, and every fault that a test shows stands in the
table."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
PAGE = TESTS.parent / "docs" / "operating.md"

_section_re = re.compile(r"^## When something fails$(.*?)^## ", re.MULTILINE | re.DOTALL)
_row_re = re.compile(r"^\| (?!fault |-)(.+) \|$", re.MULTILINE)
_mark_re = re.compile(r"""mark\.fault\("([^"]+)"\)|^    Victim\.[A-Z]+: "([^"]+)",$""", re.MULTILINE)


def rows() -> list[list[str]]:
    [section] = _section_re.findall(PAGE.read_text())
    return [row.split(" | ") for row in _row_re.findall(section)]


def shown() -> set[str]:
    """The faults that tests are marked with."""
    found = (mark for file in TESTS.rglob("test_*.py") for mark in _mark_re.findall(file.read_text()))
    return {direct or of_a_victim for direct, of_a_victim in found}


def test_the_table_and_the_tests_have_the_same_faults() -> None:
    assert {fault for fault, *_ in rows()} == shown()


def test_every_fault_has_a_stated_answer_a_sign_and_an_advice() -> None:
    assert all(len(row) == 4 and all(row) for row in rows())
