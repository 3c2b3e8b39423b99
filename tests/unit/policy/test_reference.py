"""The reference: tables of facts and functions, put between the marks of a page."""

import pytest

from gateway.policy.functions import FUNCTIONS
from gateway.policy.reference import facts_table, functions_table, with_tables
from tests.support.rulefacts import DECLARED


def test_facts_stand_in_the_order_of_their_stages_with_words_and_absent_values() -> None:
    rows = facts_table(reversed(DECLARED)).splitlines()[2:]
    assert rows[0] == "| `client.ip` | address | connect | `192.0.2.1` | The client's address |"
    assert any('| mail | `"none"` | SPF\'s result (`none`, `pass`, ' in row for row in rows)
    assert rows[-1].startswith("| `total` | number | scored | `0.0` |")


def test_every_function_has_a_row() -> None:
    assert functions_table().count("\n") == len(FUNCTIONS) + 2


def test_page_is_changed_between_its_marks_alone() -> None:
    page = "a\n<!-- begin facts -->\nold\n<!-- end facts -->\nb\n"
    made = with_tables(page, DECLARED)
    assert made == f"a\n<!-- begin facts -->\n{facts_table(DECLARED)}<!-- end facts -->\nb\n"
    assert with_tables(made, DECLARED) == made


def test_unknown_mark_is_an_error() -> None:
    with pytest.raises(ValueError, match="no table is called x"):
        with_tables("<!-- begin x -->\n<!-- end x -->", DECLARED)
