"""Domain names in their one canonical form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import canonical_domain, configured_for, is_within
from gateway.system.dns import is_name


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("localhost", "localhost"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
    ],
)
def test_name_is_brought_to_lower_case_and_a_labels(text: str, canonical: str) -> None:
    assert canonical_domain(text) == canonical


def test_sharp_s_is_another_domain_than_double_s() -> None:
    assert canonical_domain("straße.example") == "xn--strae-oqa.example"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        ".example.org",
        "example..org",
        "example.org..",
        "-example.org",
        "example-.org",
        "exa mple.org",
        "example.org\n",
        "[192.0.2.1]",
        "example.org。example.net",
        "exa\u200dmple.org",
        "exa\x00mple.org",
        "exa\udc80mple.org",
        "ｅxample.org",
        "x" * 64 + ".org",
        "ü" * 60 + ".org",
        "x." * 127 + "org",
        "=?utf-8?q?a?=",
    ],
)
def test_what_is_no_domain_name_has_no_canonical_form(text: str) -> None:
    assert canonical_domain(text) == ""


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9äß.-]{1,40}", fullmatch=True))
def test_canonical_form_is_a_name_for_dns_and_stays_as_it_is(text: str) -> None:
    canonical = canonical_domain(text)
    if canonical:
        assert is_name(canonical)
        assert canonical_domain(canonical) == canonical


@pytest.mark.parametrize(
    ("domain", "found"),
    [
        ("example.org", "itself"),
        ("a.example.org", "below"),
        ("b.a.example.org", "below"),
        ("x.deep.example.org", "deeper"),
        ("deep.example.org", "below"),
        ("notexample.org", None),
        ("org", None),
        ("", None),
    ],
)
def test_longest_entry_above_a_domain_counts(domain: str, found: str | None) -> None:
    table = {"example.org": "itself", ".example.org": "below", ".deep.example.org": "deeper"}
    assert configured_for(domain, table) == found


def test_name_is_within_itself_and_its_parents() -> None:
    assert is_within("a.example.org", "example.org")
    assert is_within("example.org", "example.org")
    assert not is_within("notexample.org", "example.org")
