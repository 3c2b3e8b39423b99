from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.connection import Role
from gateway.delivery.answer import Answer
from gateway.delivery.capabilities import Capabilities
from gateway.delivery.commands import MAX_COMMAND, Client, Wording, is_ascii, mail, rcpt, xforward, xtext
from gateway.envelope import Address, Recipient
from tests.support.deliveries import CONNECTION, envelope, recipient

ALL = "NAME ADDR PORT PROTO HELO IDENT SOURCE"


def offered(*lines: str) -> Capabilities:
    return Capabilities.of(Answer(code=250, lines=("mail.example.org", *lines)))


def client(name: str = "", **connection: object) -> Client:
    return Client(connection=replace(CONNECTION, **connection), name=name, ident="m1")  # type: ignore[arg-type]


def test_keywords_are_read_in_any_case_and_odd_lines_passed_over() -> None:
    capabilities = offered("pipelining", "Size 1000", "", "  ", "xforward name addr")
    assert "PIPELINING" in capabilities
    assert capabilities.xforward == ("NAME", "ADDR")
    assert capabilities.xclient == ()


def test_the_greeting_is_no_capability() -> None:
    assert "PIPELINING" not in Capabilities.of(Answer(code=250, lines=("PIPELINING at your service",)))


def test_nothing_is_sent_that_is_not_offered() -> None:
    sender = envelope(parameters=("RET=FULL", "ENVID=x"))
    assert mail(sender, Wording.UTF8, 100, offered()) == b"MAIL FROM:<alice@example.com>\r\n"
    assert rcpt(recipient("bob@example.org", "NOTIFY=NEVER"), offered()) == b"RCPT TO:<bob@example.org>\r\n"


def test_the_null_sender_and_postmaster_keep_their_form() -> None:
    assert mail(envelope(sender=""), Wording.SEVEN_BIT, None, offered()) == b"MAIL FROM:<>\r\n"
    assert rcpt(recipient("postmaster"), offered()) == b"RCPT TO:<postmaster>\r\n"


@pytest.mark.parametrize(
    ("sender", "recipients", "ascii_alone"),
    [
        ("", ["bob@example.org"], True),
        ("alice@example.com", ["bob@example.org", "carol@example.org"], True),
        ("älice@example.com", ["bob@example.org"], False),
        ("alice@example.com", ["bob@example.org", "cärol@example.org"], False),
    ],
)
def test_one_address_that_is_not_ascii_is_enough(sender: str, recipients: list[str], ascii_alone: bool) -> None:
    assert is_ascii(envelope(*recipients, sender=sender)) is ascii_alone


@pytest.mark.parametrize("parameter", ["NOTIFY=NEVER\r\nDATA", "SIZE=1", "NOTIFY", "NOTIFY=A B", "ORCPT=rfc822;a=b"])
def test_odd_parameters_do_not_go_out(parameter: str) -> None:
    assert rcpt(recipient("bob@example.org", parameter), offered("DSN")) == b"RCPT TO:<bob@example.org>\r\n"


def test_an_address_cannot_end_its_line() -> None:
    evil = Recipient(address=Address(local="a>\r\nRSET", domain="example.org"))
    with pytest.raises(ValueError, match="control character"):
        rcpt(evil, offered())


def test_what_is_not_known_is_unavailable() -> None:
    (line,) = xforward(client(helo="", role=Role.INTERNAL, ip=ip_address("2001:db8::1")), offered(f"XFORWARD {ALL}"))
    assert line == (
        b"XFORWARD NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 PORT=40123 PROTO=ESMTP "
        b"HELO=[UNAVAILABLE] IDENT=m1 SOURCE=LOCAL\r\n"
    )


def test_only_attributes_that_are_taken_are_given() -> None:
    assert xforward(client(), offered("XFORWARD ADDR BOGUS")) == (b"XFORWARD ADDR=192.0.2.7\r\n",)


def test_long_values_are_cut_and_spread_over_commands() -> None:
    lines = xforward(client(name="n" * 900, helo="h" * 900), offered(f"XFORWARD {ALL}"))
    assert len(lines) == 2
    assert all(len(line) <= MAX_COMMAND for line in lines)


def test_a_command_is_filled_to_its_limit_and_not_beyond() -> None:
    attributes = offered("XFORWARD NAME HELO")
    room = MAX_COMMAND - len(b"XFORWARD NAME= HELO=\r\n") - 255
    (line,) = xforward(client(name="n" * 255, helo="h" * room), attributes)
    assert len(line) == MAX_COMMAND
    assert len(xforward(client(name="n" * 255, helo="h" * (room + 1)), attributes)) == 2


@pytest.mark.parametrize("start", range(3))
def test_a_cut_does_not_go_through_an_encoded_octet(start: int) -> None:
    (line,) = xforward(client(helo="h" * start + "+" * 300), offered("XFORWARD HELO"))
    assert line == b"XFORWARD HELO=" + b"h" * start + b"+2B" * ((255 - start) // 3) + b"\r\n"


@given(st.text(max_size=40))
def test_xtext_leaves_nothing_that_ends_a_value(text: str) -> None:
    encoded = xtext(text)
    assert all("!" <= character <= "~" and character != "=" for character in encoded)
    octets = bytearray()
    position = 0
    while position < len(encoded):
        escaped = encoded[position] == "+"
        octets += bytes.fromhex(encoded[position + 1 : position + 3]) if escaped else encoded[position].encode()
        position += 3 if escaped else 1
    assert octets.decode() == text


def test_the_scope_of_an_address_cannot_end_its_line() -> None:
    (line,) = xforward(client(ip=ip_address("fe80::1%a\r\nRSET")), offered("XFORWARD ADDR"))
    assert line == b"XFORWARD ADDR=IPV6:fe80::1%a+0D+0ARSET\r\n"
