"""A signature of a known form is read as it would be without any memory, and the memory has bounds."""

import pytest

from gateway.checks.dkim.known import MAX_FORM, MAX_FORMS, MAX_LOOKED_FOR, KnownForms
from gateway.checks.dkim.signature import Signature, parse_signature, read_field
from gateway.checks.dkim.status import Failure, SignatureError
from gateway.message import Field

FIRST = (
    b" v=1; a=rsa-sha256; c=relaxed/simple; d=Example.org; s=s1;\r\n"
    b"\tt=1700000000; x=1800000000; i=ann@Mail.example.org;\r\n"
    b"\th=from:to:Subject; l=5; q=dns/txt;\r\n\tbh=AAECAw==;\r\n\tb=BAUG\r\n\t BwgJ\r\n"
)

Outcome = Signature | tuple[str, Failure]


def parsed(field: Field) -> Signature:
    return parse_signature(field, read_field(field))


def whole(field: Field) -> Outcome:
    try:
        return parsed(field)
    except SignatureError as error:
        return error.reason, error.failure


def remembered(forms: KnownForms, field: Field) -> Outcome:
    """As it is recalled, or else parsed and kept."""
    known = forms.recall(field)
    if known:
        return known
    found = whole(field)
    if isinstance(found, Signature):
        forms.keep(found)
    return found


def field_of(value: bytes) -> Field:
    return Field(name="dkim-signature", raw=b"DKIM-Signature:" + value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"", b""),
        (b"bh=AAECAw==", b"bh= CQ = ="),
        (b"b=BAUG\r\n\t BwgJ", b"b=/+8"),
        (b"t=1700000000", b"t= 1 "),
        (b"x=1800000000", b"x=\r\n\t1700000001"),
        # What is malformed is told as it always is.
        (b"bh=AAECAw==", b"bh="),
        (b"bh=AAECAw==", b"bh=*"),
        (b"b=BAUG\r\n\t BwgJ", b"b=B"),
        (b"b=BAUG\r\n\t BwgJ", b"b=\xc3\xbc"),
        (b"b=BAUG\r\n\t BwgJ", b"b=BAUG\x00"),
        (b"b=BAUG\r\n\t BwgJ", b"b=BAUG\x0b"),
        (b"t=1700000000", b"t=1e9"),
        (b"t=1700000000", b"t=\x0c1700000000"),
        (b"t=1700000000", b"t=" + b"1" * 13),
        (b"x=1800000000", b"x="),
        (b"x=1800000000", b"x=1700000000"),
        # Another form.
        (b"d=Example.org", b"d=example.net"),
        (b"h=from:to:Subject", b"h=from:to:b=AAAA"),
        (b"h=from:to:Subject", b"h=to:subject"),
        (b"; l=5", b""),
        (b"; l=5", b"; l=6"),
        (b"; l=5", b"; b=AAAA"),
        (b"; l=5", b"; b=AAAA; l=5"),
        (b"; l=5", b"; t"),
        (b"t=1700000000; ", b""),
        (b"v=1; a", b"a"),
        (b"v=1;", b"v=1;;"),
    ],
)
def test_after_one_signature_the_next_is_read_as_if_it_were_the_first(old: bytes, new: bytes) -> None:
    forms, next_one = KnownForms(), field_of(FIRST.replace(old, new) if old else FIRST)
    assert old in FIRST
    assert isinstance(remembered(forms, field_of(FIRST)), Signature)
    expected = whole(next_one)
    assert remembered(forms, next_one) == expected
    assert remembered(forms, next_one) == expected


def test_what_follows_the_colon_of_another_tag_is_not_a_value_of_its_own() -> None:
    forms = KnownForms()
    for names in (b"from:b=AA", b"from:b=subject"):
        field = field_of(FIRST.replace(b"h=from:to:Subject", b"h=" + names))
        assert remembered(forms, field) == whole(field)


def test_a_known_form_is_not_parsed_again() -> None:
    forms, first = KnownForms(), parsed(field_of(FIRST))
    forms.keep(first)
    known = forms.recall(field_of(FIRST.replace(b"BAUG", b"AAAA")))
    assert known
    assert known.headers is first.headers
    assert forms.recall(field_of(FIRST.replace(b"s1", b"s2"))) is None
    assert forms.recall(field_of(FIRST.replace(b"BAUG", b"*"))) is None


def test_a_time_at_the_end_of_the_field_is_recalled() -> None:
    forms, value = KnownForms(), FIRST.removesuffix(b"\r\n") + b"; t=1700000000\r\n"
    field = field_of(value.replace(b"t=1700000000; ", b"", 1))
    forms.keep(parsed(field))
    assert forms.recall(field) == parsed(field)


def test_of_a_form_nothing_is_kept_that_was_one_signatures_own() -> None:
    forms = KnownForms()
    forms.keep(parsed(field_of(FIRST)))
    [(form, specimen)] = forms._specimens.items()
    for own in (b"AAECAw", b"BAUG", b"17000", b"18000"):
        assert own not in form
    common = specimen.signature
    assert (common.field.raw, common.claim.b, common.seal.octets, common.body_hash) == (b"", "", b"", b"")


def test_the_memory_has_bounds() -> None:
    forms = KnownForms()
    for number in range(MAX_FORMS + 2):
        forms.keep(parsed(field_of(FIRST.replace(b"s=s1", b"s=s%d" % number))))
    assert len(forms) == MAX_FORMS
    forms = KnownForms()
    forms.keep(parsed(field_of(FIRST.replace(b"h=from", b"h=" + b"x:" * MAX_FORM + b"from"))))
    assert len(forms) == 0


def test_a_field_that_is_too_long_for_a_form_is_not_looked_for() -> None:
    forms, long = KnownForms(), field_of(FIRST.replace(b"BAUG", b"BAUG" * (MAX_LOOKED_FOR // 4)))
    forms.keep(parsed(long))
    assert len(forms) == 0
    forms.keep(parsed(field_of(FIRST)))
    assert forms.recall(long) is None


def test_the_form_unused_for_longest_makes_room() -> None:
    forms = KnownForms()
    fields = [field_of(FIRST.replace(b"s=s1", b"s=s%d" % number)) for number in range(MAX_FORMS + 1)]
    for field in fields[:MAX_FORMS]:
        forms.keep(parsed(field))
    assert forms.recall(fields[0])
    forms.keep(parsed(fields[MAX_FORMS]))
    assert forms.recall(fields[0])
    assert forms.recall(fields[1]) is None
