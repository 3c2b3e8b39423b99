"""File names and boundaries in the fields that describe a part, however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.parameters import MAX_NAME, MAX_NAMES, file_names, first_word, parameters, text_of, values


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("attachment", []),
        ("attachment; filename=report.pdf", ["report.pdf"]),
        ('attachment; filename="Report of May.PDF"', ["report of may.pdf"]),
        ("attachment; filename=report of may.pdf; size=3", ["report of may.pdf"]),
        ('attachment; FileName = "a;b.exe" ; x=y', ["a;b.exe"]),
        (r'attachment; filename="a\"b.exe"', ['a"b.exe']),
        ('attachment; filename="not closed.exe', ["not closed.exe"]),
        ('attachment; filename="report (1).exe"', ["report (1).exe"]),
        ("attachment; filename=x.exe (an invoice)", ["x.exe (an invoice)", "x.exe"]),
        ('attachment; (") filename=x.exe; y="', ["x.exe"]),
        ('attachment; filename="a.txt"; filename="b.exe"', ["a.txt", "b.exe"]),
        (r'attachment; filename="C:\Users\ann\Desktop\a.exe"', ["a.exe"]),
        ('attachment; filename="../../etc/passwd"', ["passwd"]),
        ('attachment; filename="a.exe . ."', ["a.exe"]),
        ("attachment; filename*=utf-8''caf%C3%A9.pdf", ["café.pdf"]),
        ("attachment; filename*=iso-8859-1'en'caf%E9.pdf", ["café.pdf"]),
        ("attachment; filename*=no-such'en'caf%C3%A9.pdf", ["café.pdf"]),
        ("attachment; filename*=caf%C3%A9.pdf", ["café.pdf"]),
        ('attachment; filename*0="in"; filename*1=voice; filename*2=".exe"', ["invoice.exe"]),
        ('attachment; filename*2=".exe"; filename*0="in"; filename*1=voice', ["invoice.exe"]),
        ("attachment; filename*0*=utf-8''caf%C3%A9; filename*1=.exe", ["café.exe"]),
        ("attachment; filename*0*=iso-8859-1''caf; filename*1*=%E9.exe", ["café.exe"]),
        ("attachment; filename*=utf-8''a.exe; filename=a.txt", ["a.exe", "a.txt"]),
        ('attachment; filename="=?utf-8?b?w6kuZXhl?="', ["é.exe"]),
        ('attachment; filename="=?utf-8?q?in?= =?utf-8?q?voice.exe?="', ["invoice.exe"]),
        ('attachment; filename="invoice\u202efdp.exe"', ["invoicefdp.exe"]),
        ('attachment; filename="a\u200b.e\u00adxe"', ["a.exe"]),
        ('attachment; filename="a.\uff45xe"', ["a.exe"]),
        ('attachment; filename=""', []),
        ("attachment; filename", []),
        ("attachment; filename*999999999999=x", []),
    ],
)
def test_name_is_found(text: str, names: list[str]) -> None:
    assert file_names(text, "filename") == names


def test_of_a_long_name_the_end_counts() -> None:
    (name,) = file_names(f'x; name="{"a" * 5000}.exe"', "name")
    assert (len(name), name[-4:]) == (MAX_NAME, ".exe")


def test_names_have_a_bound() -> None:
    text = "".join(f"; name=n{number}" for number in range(100))
    assert len(file_names(f"x{text}", "name")) == MAX_NAMES


@pytest.mark.parametrize(
    ("text", "boundaries"),
    [
        ('multipart/mixed; boundary="a b"', ["a b"]),
        ("multipart/mixed; boundary=a; boundary=b", ["a", "b"]),
        ("multipart/mixed; boundary=a (see b)", ["a (see b)", "a"]),
        ("multipart/mixed", []),
    ],
)
def test_every_reading_of_a_boundary_is_found(text: str, boundaries: list[str]) -> None:
    assert values(text, "boundary") == boundaries


@pytest.mark.parametrize(
    ("text", "word"), [(" Text/HTML ; x=y", "text/html"), ("text/plain (plain)", "text/plain"), ("", ""), (";", "")]
)
def test_first_word(text: str, word: str) -> None:
    assert first_word(text) == word


@given(st.binary(max_size=300), st.lists(st.sampled_from([b'"', b";", b"=", b"*", b"(", b"\\", b"'", b"%", b"name"])))
def test_any_octets_give_names_that_can_be_shown(octets: bytes, pieces: list[bytes]) -> None:
    for value in (octets, b"a" + b"".join(pieces), octets.join(pieces)):
        list(parameters(text_of(value)))
        for name in file_names(text_of(value), "name"):
            assert name.encode()
            assert 0 < len(name) <= MAX_NAME
            assert not set(name) & set("\r\n\x00/\\")
