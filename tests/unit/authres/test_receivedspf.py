"""The Received-SPF field: what it says, and that nothing in it says anything else."""

import re
from email.parser import BytesHeaderParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.authres.receivedspf import KEYS, ReceivedSpf, build_received_spf, clean_text
from gateway.message import split_fields
from tests.support.breakouts import BREAKOUTS

STATED = ReceivedSpf(
    result="pass",
    identity="mailfrom",
    client_ip="192.0.2.7",
    envelope_from="ann@sender.example",
    helo="mail.sender.example",
    mechanism="ip4:192.0.2.0/24",
    problem="",
    receiver="mx.example.org",
)
BREAKOUTS_OF_KEYS = (
    "x; identity=helo;",
    '"x identity=helo; identity = helo;"@evil.example',
    'x"; receiver=bank.example; y="',
    "x\\",
    "receiver =mx.example.org",
    "iden\x00tity=helo",
    "=?utf-8?q?identity=3Dhelo?=",
)

# key-value-list of RFC 7208 section 9.1, with dot-atom and quoted-string of RFC 5322.
_pair_re = re.compile(r"([a-z-]+)=(?:\"((?:[^\"\\]|\\.)*)\"|([A-Za-z0-9!#$%&'*+/?^_`{|}~.-]+))(?:; |\Z)")


def read(field: bytes) -> tuple[str, dict[str, str]]:
    """The result word, and the value of each key, of a field that is wholly as the grammar has it."""
    assert field.startswith(b"Received-SPF: ")
    assert len(split_fields(field)) == 1
    assert max(map(len, field.split(b"\r\n"))) <= 998
    word, _, rest = field.decode("ascii").replace("\r\n", "").removeprefix("Received-SPF: ").partition(" ")
    assert _pair_re.sub("", rest) == ""
    pairs = {key: re.sub(r"\\(.)", r"\1", quoted) or atom for key, quoted, atom in _pair_re.findall(rest)}
    assert len(pairs) == len(_pair_re.findall(rest))
    return word, pairs


def test_field_says_what_was_checked_and_what_was_found() -> None:
    assert build_received_spf(STATED) == (
        b"Received-SPF: pass identity=mailfrom; client-ip=192.0.2.7;\r\n"
        b' envelope-from="ann@sender.example"; helo=mail.sender.example;\r\n'
        b' mechanism="ip4:192.0.2.0/24"; receiver=mx.example.org\r\n'
    )


def test_identity_stands_in_the_first_line() -> None:
    """Not every reader unfolds; SpamAssassin takes a result without an identity for one of MAIL FROM."""
    far = replace(STATED, result="permerror", identity="helo", client_ip="2001:db8:1111:2222:3333:4444:5555:6666")
    assert build_received_spf(far).startswith(b"Received-SPF: permerror identity=helo;")


def test_problem_is_told_in_place_of_a_mechanism() -> None:
    _, pairs = read(build_received_spf(replace(STATED, mechanism="", problem='a term cannot be read: "x')))
    assert pairs["problem"] == 'a term cannot be read: "x'
    assert "mechanism" not in pairs


def test_null_reverse_path_and_addresses_that_are_no_atom_are_quoted() -> None:
    bounce = build_received_spf(replace(STATED, envelope_from="", client_ip="2001:db8::7", helo="[IPv6:2001:db8::7]"))
    assert b'envelope-from=""; helo="[IPv6:2001:db8::7]";' in bounce.replace(b"\r\n", b"")
    assert b'client-ip="2001:db8::7"' in bounce


texts = st.text() | st.sampled_from(BREAKOUTS + BREAKOUTS_OF_KEYS)


@given(texts, texts, texts, texts, texts)
def test_whatever_the_texts_are_they_are_read_back_from_their_places(
    envelope_from: str, helo: str, mechanism: str, problem: str, receiver: str
) -> None:
    given_texts = {
        "identity": "mailfrom",
        "client-ip": "192.0.2.7",
        "envelope-from": envelope_from,
        "helo": helo,
        "mechanism": mechanism,
        "problem": problem,
        "receiver": receiver,
    }
    stated = ReceivedSpf(result="fail", **{key.replace("-", "_"): text for key, text in given_texts.items()})
    word, pairs = read(build_received_spf(stated))
    assert word == "fail"
    left_out = {key for key in ("mechanism", "problem") if not given_texts[key]}
    assert pairs == {key: clean_text(text) for key, text in given_texts.items() if key not in left_out}


@pytest.mark.parametrize("hostile", BREAKOUTS + BREAKOUTS_OF_KEYS)
def test_who_searches_the_field_instead_of_parsing_it_finds_what_we_say(hostile: str) -> None:
    field = build_received_spf(
        replace(STATED, result="fail", envelope_from=hostile, helo=hostile, mechanism=hostile, problem=hostile)
    )
    text = str(BytesHeaderParser().parsebytes(field + b"\r\n")["Received-SPF"])
    for key in KEYS:
        assert len(re.findall(rf"(?i){key}\s*=", text)) == 1, text
    assert ";" not in re.sub(r"; (?=[a-z-]+=)", "", text.replace("\r\n", ""))
    assert "=?" not in text
    assert re.match(r"fail\b", text)
