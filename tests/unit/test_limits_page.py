"""The table of limits in docs/authentication.md: it is that of the code, and each limit has its reason."""

import pytest

from tests.support.limitspage import LIMITS, PAGE, current, table


def test_table_of_the_page_is_current() -> None:
    assert PAGE.read_text() == current(), "write it anew: python -m tests.support.limitspage"


def test_every_limit_has_a_value_and_a_reason() -> None:
    rows = [line.strip("| ").split(" | ") for line in table().splitlines()[2:]]
    assert len(rows) == len(LIMITS)
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)
    assert all(any(character.isdigit() for character in value) for _, value, _, _ in rows)


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("**SPF**: lookups", "10"),  # RFC 7208 section 4.6.4
        ("void lookups", "2"),
        ("hosts of a mx", "10"),
        ("names of the client", "10"),
        ("**DMARC**: queries of a tree walk", "8"),  # RFC 9989 section 4.10
        ("bits of an RSA key, at least", "1,024"),  # RFC 8301 section 3.2
        ("digits of `l=`", "76"),  # RFC 6376 section 3.5
    ],
)
def test_limits_that_an_rfc_sets_are_those_of_the_rfc(what: str, value: str) -> None:
    assert f"| {what} | {value} |" in table()
