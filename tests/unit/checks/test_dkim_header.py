"""The signed header: many fields at once come out as each by itself."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from gateway.checks.dkim.canonical import Canon
from gateway.checks.dkim.header import MAX_NAMES, MAX_TOGETHER, Header, relaxed, unsigned_field
from gateway.message import Field, by_name, split_fields

PIECES = [b"a", b"b", b"A", b":", b": ", b" ", b"  ", b"\t", b"\r\n ", b"\r\n\t", b"\r\n", b"\r", b"\n", b"\n ", b";b="]
PIECES += [b"\r\na:", b"\r\nB :\r\n ", b"\nc\t: ", b"\r\nd: \r\n", b"\x00", b"\x0b", b"\xff"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)
NAMES = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "dkim-signature", "", "\ufffd"]), max_size=12)


def taken(fields: list[Field], names: list[str], signature: Field) -> list[Field]:
    """What the names select, the plain way."""
    left, found = [field for field in fields if field is not signature], []
    for name in filter(None, names):
        of_name = [field for field in left if field.name == name]
        if of_name:
            found.append(of_name[-1])
            left = [field for field in left if field is not of_name[-1]]
    return found


@given(TEXTS, TEXTS, TEXTS, NAMES)
def test_fields_made_relaxed_together_are_as_each_by_itself(
    above: bytes, below: bytes, tags: bytes, names: list[str]
) -> None:
    octets = b"a:" + above + b"\r\nDKIM-Signature:" + tags + b"\r\nb:" + below
    fields = list(split_fields(octets))
    signature = next(field for field in fields if field.name == "dkim-signature")
    expected = b"".join(map(relaxed, taken(fields, names, signature))) + unsigned_field(signature, Canon.RELAXED)
    assert Header(by_name(fields)).signed(names, Canon.RELAXED, signature) == expected


def test_an_empty_name_does_not_stand_for_a_line_that_has_none() -> None:
    fields = split_fields(b"no name: x\r\nDKIM-Signature: b=x\r\n")
    assert Header(by_name(fields)).signed(["", ""], Canon.RELAXED, fields[1]) == b"dkim-signature:b="


def test_neither_the_length_of_the_fields_nor_the_number_of_the_names_makes_a_difference() -> None:
    (signature,) = split_fields(b"DKIM-Signature: b=x\r\n")
    for count in (1, MAX_NAMES + 1):
        for size in (1, MAX_TOGETHER):
            fields = split_fields(b"A :  b\t\r\n" * count + b"C:" + b" \r\n d" * size + b"\r\n")
            expected = b"a:b\r\n" * count + b"c:" + b" d".join([b""] * (size + 1)).removeprefix(b" ") + b"\r\n"
            names = ["a"] * count + ["c", "c"]
            signed = Header(by_name(fields)).signed(names, Canon.RELAXED, signature)
            assert signed == expected + b"dkim-signature:b="


def test_what_is_too_long_to_be_made_relaxed_together_is_copied_for_no_further_signature() -> None:
    fields = split_fields(b"DKIM-Signature: b=x\r\nA:" + b" a" * (1 << 19) + b"\r\n")
    header = Header(by_name(fields))
    length = len(header.signed(["a"], Canon.RELAXED, fields[0]))
    tracemalloc.start()
    header.signed(["a"], Canon.RELAXED, fields[0])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1.5 * length


def test_of_many_names_nothing_is_made_that_is_of_no_use() -> None:
    fields = split_fields(b"DKIM-Signature: b=x\r\n")
    names = ["a" * 100] * 10_000
    Header(by_name(fields)).signed(names, Canon.RELAXED, fields[0])  # what is made once is made
    tracemalloc.start()
    Header(by_name(fields)).signed(names, Canon.RELAXED, fields[0])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100 * len(names)
