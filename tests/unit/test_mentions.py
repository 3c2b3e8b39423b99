"""Addresses and domains in a text that readers are shown, however they are dressed up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import canonical_domain
from gateway.mentions import addresses, claims, domains, readable
from tests.support.effort import growth, lines_run


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        ("ｂｏｂ＠ｂａｎｋ．example", "bob@bank.example"),
        ("bob\N{SMALL COMMERCIAL AT}bank.example", "bob@bank.example"),
        ("bob@ba\N{ZERO WIDTH SPACE}nk\N{SOFT HYPHEN}.example", "bob@bank.example"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}bob@bank.example", "bob@bank.example"),
        ("bob@bank。example", "bob@bank.example"),
        ("bob@ba\x7fnk.exa\N{COMBINING GRAPHEME JOINER}mple\N{VARIATION SELECTOR-16}", "bob@bank.example"),
        ("bob@ba\x00nk.exam\x7fple", "bob@bank.example"),
        ("two\tlines\n", "two\tlines\n"),
        ("Bücher", "Bücher"),
    ],
)
def test_text_is_taken_as_the_eye_does(text: str, seen: str) -> None:
    assert readable(text) == seen


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bob@bank.example", [("bob", "bank.example")]),
        ("write to <BOB@BANK.example>, or [ann@bank.example.]", [("BOB", "bank.example"), ("ann", "bank.example")]),
        ("'bob@bank.example' via List", [("bob", "bank.example")]),
        ("bob@bücher.example", [("bob", "xn--bcher-kva.example")]),
        ("@bank.example bob@ bob@localhost bob@192.0.2.1 bob@v1.2 bob@a.b", []),
    ],
)
def test_addresses_are_found(text: str, found: list[tuple[str, str]]) -> None:
    assert list(addresses(text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bob.public@bank.example", ["bank.example"]),
        ("https://www.bank.example/path and @bank.example", ["www.bank.example", "bank.example"]),
        ("Bank.Example (Support)", ["bank.example"]),
        ("J. R. Public v1.2 3.50 a.b ... x..y.example", []),
    ],
)
def test_domains_are_found_with_and_without_an_address(text: str, found: list[str]) -> None:
    assert list(domains(text)) == found


@pytest.mark.parametrize(
    "text",
    [
        "bob@bank.example",
        "@bank.example",
        "bob @ bank . example",
        "bob@(a (nested) comment)bank.example",
        "bob@bank.(a comment)example",
        "bob@ba nk.example",
        "(bob@bank.example",
        "a)b@bank.example",
        'bob@"bank.example"',
        "bob@[bank.example]",
        "bob@'bank'.example",
    ],
)
def test_domain_of_an_author_is_claimed_in_any_reading(text: str) -> None:
    assert "bank.example" in claims(text)


@given(st.text(max_size=80) | st.lists(st.sampled_from("@.(): \\<>ab")).map("".join))
def test_what_is_found_is_canonical(text: str) -> None:
    found = [*claims(text), *domains(text), *(domain for _, domain in addresses(text))]
    assert all(canonical_domain(domain) == domain and "." in domain for domain in found)


@pytest.mark.parametrize("part", ["@", "a", "a@", "@a.bc", ".", "(", ")", "\\", " ", "a ", "a@b.cd ", "é", "\u200b"])
def test_hostile_text_costs_little(part: str) -> None:
    for look in (addresses, domains, claims):
        list(look(readable(part * (100_000 // len(part)))))
        assert growth(lambda times, look=look: lines_run(lambda: list(look(readable(part * times)))), 200) < 4
