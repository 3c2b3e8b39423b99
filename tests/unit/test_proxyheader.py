"""The PROXY protocol's headers: read as they were meant, wherever they are cut, and nothing else is read."""

from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.smtp.proxyheader import MAX_HEADER, MAX_LINE, SIGNATURE, End, Flaw, Own, Relayed, length_of, parse, to_line
from tests.support.balancer import LOCAL, UNKNOWN, block, relayed, version_2

ports = st.integers(0, 65535)


def connections(version: int) -> st.SearchStrategy[Relayed]:
    end = st.builds(End, st.ip_addresses(v=version), ports)  # type: ignore[arg-type]
    return st.builds(Relayed, end, end)


any_connection = connections(4) | connections(6)


@given(any_connection)
def test_line_is_read_as_it_was_written(connection: Relayed) -> None:
    assert parse(to_line(connection)) == connection


@given(any_connection, st.binary(max_size=200))
def test_block_is_read_as_it_was_written_whatever_its_tlvs(connection: Relayed, tlvs: bytes) -> None:
    assert parse(version_2(connection, tlvs)) == connection


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", End(ip_address("255.255.255.255"), 65535)),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n", End(ip_address("192.0.2.1"), 0)),
        (b"PROXY TCP6 " + b"ffff:" * 7 + b"FFFF ::1 65535 65535\r\n", End(ip_address("ffff:" * 7 + "ffff"), 65535)),
        (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", End(ip_address("::ffff:192.0.2.1"), 1)),
    ],
)
def test_lines_of_the_specification(header: bytes, client: End) -> None:
    found = parse(header)
    assert isinstance(found, Relayed)
    assert found.client == client


@pytest.mark.parametrize(
    "header",
    [
        UNKNOWN,
        b"PROXY UNKNOWN " + 2 * b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff " + b"65535 65535\r\n",
        b"PROXY UNKNOWN \xff\x00 whatever\r\n",
        LOCAL,
        block(0x11, b"\xff" * 12, command=0x20),
        block(0xFF, b"junk", command=0x20),
    ],
)
def test_own_connection_of_the_balancer(header: bytes) -> None:
    assert length_of(header) == len(header)
    assert parse(header) is Own.OWN


@pytest.mark.parametrize(
    ("octets", "flaw"),
    [
        (b"EHLO client.example\r\n", Flaw.NO_HEADER),
        (b"PROXX TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Flaw.NO_HEADER),
        (b"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Flaw.NO_HEADER),
        (b"PROXY\r\n", Flaw.NO_HEADER),
        (b"\n", Flaw.NO_HEADER),
        (b"\r\n\r\n\0\r\nQUIX", Flaw.NO_HEADER),
        (b"\x16\x03\x01\x02\x00", Flaw.NO_HEADER),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2".ljust(MAX_LINE), Flaw.TOO_LONG),
        (b"PROXY UNKNOWN ".ljust(MAX_LINE + 5), Flaw.TOO_LONG),
        (SIGNATURE + b"\x21\x11\xff\xff", Flaw.TOO_LONG),
        (block(0x11, bytes(MAX_HEADER - 15)), Flaw.TOO_LONG),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", Flaw.MALFORMED),
        (b"PROXY UNKNOWN\n", Flaw.MALFORMED),
        (b"PROXY UNKNOWN a\rb\r\n", Flaw.MALFORMED),
        (b"PROXY UNKNOWNS\r\n", Flaw.MALFORMED),
        (b"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Flaw.MALFORMED),
        (b"PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n", Flaw.MALFORMED),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", Flaw.MALFORMED),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", Flaw.MALFORMED),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", Flaw.MALFORMED),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 70000 1\r\n", Flaw.MALFORMED),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", Flaw.MALFORMED),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", Flaw.MALFORMED),
        (b"PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n", Flaw.MALFORMED),
        (b"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", Flaw.MALFORMED),
        (b"PROXY TCP4 ::1 192.0.2.2 1 2\r\n", Flaw.MALFORMED),
        (b"PROXY TCP6 192.0.2.1 ::1 1 2\r\n", Flaw.MALFORMED),
        (b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", Flaw.MALFORMED),
        (b"PROXY TCP6 1::2::3 ::1 1 2\r\n", Flaw.MALFORMED),
        (b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", Flaw.MALFORMED),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 １ 2\r\n".encode(), Flaw.MALFORMED),
        (block(0x11, bytes(11)), Flaw.MALFORMED),
        (block(0x21, bytes(35)), Flaw.MALFORMED),
        (block(0x11, bytes(12), command=0x22), Flaw.MALFORMED),
        (block(0x11, bytes(12), command=0x11), Flaw.MALFORMED),
        (block(0x00, b""), Flaw.NO_CLIENT),
        (block(0x10, bytes(12)), Flaw.NO_CLIENT),
        (block(0x12, bytes(12)), Flaw.NO_CLIENT),
        (block(0x31, bytes(216)), Flaw.NO_CLIENT),
        (block(0x44, bytes(100)), Flaw.NO_CLIENT),
    ],
)
def test_what_is_no_header_in_due_form_is_not_read(octets: bytes, flaw: Flaw) -> None:
    found = length_of(octets)
    assert (found if isinstance(found, Flaw) else parse(octets[:found])) is flaw
    assert parse(octets) is flaw


@given(any_connection, st.binary(max_size=100))
@example(relayed(), b"EHLO client.example\r\n")
def test_length_is_told_as_soon_as_it_can_be_and_never_wrongly(connection: Relayed, behind: bytes) -> None:
    for header in (to_line(connection), version_2(connection, b"\x04\x00\x01x"), UNKNOWN, LOCAL):
        told = [length_of((header + behind)[:end]) for end in range(len(header) + len(behind) + 1)]
        assert set(told) <= {None, len(header)}
        assert told[len(header) :] == [len(header)] * (len(behind) + 1)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: SIGNATURE + tail))
def test_any_octets_have_a_reading(octets: bytes) -> None:
    """Nothing raises, and what is said to be a header of so many octets is never longer than it may be."""
    length = length_of(octets)
    assert isinstance(length, Flaw) or length is None or 0 < length <= MAX_HEADER
    assert isinstance(parse(octets), Flaw | Relayed | Own)
