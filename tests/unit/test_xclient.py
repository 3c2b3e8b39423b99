"""XCLIENT: what a mail proxy says of the client that it speaks for."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.connection import Connection, Role, Tls
from gateway.delivery import commands
from gateway.delivery.capabilities import Capabilities
from gateway.smtp import replies
from gateway.smtp.xclient import KEYWORD, parse_xclient

PROXY = Connection(
    id="c1",
    ip=ip_address("192.0.2.1"),
    port=4000,
    role=Role.INTERNAL,
    opened=1.0,
    tls=Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256),
)
helo_names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80)
clients = st.builds(
    Connection,
    id=st.just("c1"),
    ip=st.ip_addresses().filter(lambda ip: not getattr(ip, "ipv4_mapped", None)),
    port=st.integers(0, 65535),
    role=st.just(Role.STRANGER),
    opened=st.just(1.0),
    helo=helo_names,
    esmtp=st.booleans(),
)


def stated(argument: str, before: Connection = PROXY) -> Connection:
    found = parse_xclient(argument, before)
    assert isinstance(found, Connection), found
    return found


def test_every_attribute() -> None:
    said = (
        "NAME=mail.example.com ADDR=198.51.100.7 PORT=4711 PROTO=ESMTP HELO=mail.example.com "
        "DESTADDR=IPV6:2001:db8::1 DESTPORT=25"
    )
    found = stated(said)
    assert found == replace(
        PROXY,
        ip=IPv4Address("198.51.100.7"),
        port=4711,
        helo="mail.example.com",
        esmtp=True,
        via=IPv4Address("192.0.2.1"),
    )


@given(clients)
def test_what_our_own_delivery_says_is_understood(client: Connection) -> None:
    """In as many lines as it takes: each tells more of the same client."""
    offered = Capabilities({"XCLIENT": tuple(KEYWORD.split()[1:])})
    told = PROXY
    for line in commands.xclient(commands.Client(client, "mail.example.com", "m1"), offered):
        told = stated(line.decode().removeprefix("XCLIENT ").strip(), told)
    assert told == replace(client, role=PROXY.role, tls=PROXY.tls, via=PROXY.ip)


@pytest.mark.parametrize(
    ("said", "ip"),
    [
        ("addr=198.51.100.7", IPv4Address("198.51.100.7")),
        ("ADDR=IPV6:2001:db8::7", IPv6Address("2001:db8::7")),
        ("ADDR=ipv6:::ffff:198.51.100.7", IPv4Address("198.51.100.7")),
        ("  ADDR=198.51.100.7   NAME=[UNAVAILABLE]  ", IPv4Address("198.51.100.7")),
        ("NAME=[tempunavail] ADDR=198.51.100.7 PORT=[UNAVAILABLE] DESTADDR=[unavailable] DESTPORT=[UNAVAILABLE]",
         IPv4Address("198.51.100.7")),
    ],
)  # fmt: skip
def test_address_is_all_that_must_be_known(said: str, ip: IPv4Address | IPv6Address) -> None:
    found = stated(said)
    assert (found.ip, found.port, found.helo, found.esmtp) == (ip, 0, "", False)


def test_another_client_inherits_nothing_from_the_one_before() -> None:
    first = stated("ADDR=198.51.100.7 PORT=1 PROTO=ESMTP HELO=one.example")
    assert stated("HELO=more.example", first) == replace(first, helo="more.example")
    second = stated("ADDR=198.51.100.8", first)
    assert (second.port, second.helo, second.esmtp, second.via) == (0, "", False, PROXY.ip)


def test_name_that_is_not_known_stays_unknown() -> None:
    """Else the name with which the proxy then greets would be taken for the client's."""
    assert stated("ADDR=198.51.100.7 HELO=[UNAVAILABLE]").helo == "[UNAVAILABLE]"


def test_values_are_decoded() -> None:
    assert stated("ADDR=198.51.100.7 HELO=a+2Bb+3Dc").helo == "a+b=c"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "ADDR",
        "ADDR=",
        "ADDR=198.51.100.7=1",
        "ADDR=198.51.100.256",
        "ADDR=198.51.100.07",
        "ADDR=198.51.100.7/32",
        "ADDR=2001:db8::7",
        "ADDR=[198.51.100.7]",
        "ADDR=IPV6:198.51.100.7",
        "ADDR=IPV6:fe80::1+25eth0",
        "ADDR=IPV6:fe80::1%eth0",
        "ADDR=[UNAVAILABLE]",
        "ADDR=١٩٨.51.100.7",
        "ADDR=198.51.100.7 ADDR=198.51.100.8",
        "ADDR=198.51.100.7 LOGIN=ann",
        "ADDR=198.51.100.7 PORT=65536",
        "ADDR=198.51.100.7 PORT=-1",
        "ADDR=198.51.100.7 PORT=١",
        "ADDR=198.51.100.7 PROTO=LMTP",
        "ADDR=198.51.100.7 DESTADDR=here",
        "ADDR=198.51.100.7 DESTPORT=smtp",
        "ADDR=198.51.100.7 NAME=a(b)",
        "ADDR=198.51.100.7 NAME=" + "a" * 256,
        "ADDR=198.51.100.7 HELO=" + "a" * 256,
        "ADDR=198.51.100.7 HELO=a+20b",
        "ADDR=198.51.100.7 HELO=a+0D+0AX-Forged:+20yes",
        "ADDR=198.51.100.7 HELO=a+00",
        "ADDR=198.51.100.7 HELO=a+C3+A9",
        "ADDR=198.51.100.7 HELO=é",
        "ADDR=198.51.100.7 HELO=a+0",
        "ADDR=198.51.100.7 HELO=a+0d",
        "ADDR=198.51.100.7 NAME=a+0D+0AQUIT",
    ],
)
def test_what_is_wrong_anywhere_is_taken_for_nothing(said: str) -> None:
    assert parse_xclient(said, PROXY) is replies.XCLIENT_SYNTAX


@given(st.text(max_size=300) | st.text("ADRPOTNMEHL=+0123456789ABCDEF. [:", max_size=300))
def test_any_text_has_a_reading(said: str) -> None:
    found = parse_xclient(said, PROXY)
    if isinstance(found, Connection):
        assert found.helo.isascii()
        assert found.helo.isprintable()
        assert " " not in found.helo
        assert len(found.helo) <= 255
