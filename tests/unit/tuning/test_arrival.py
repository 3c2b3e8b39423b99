"""Messages as they lie in mailboxes: what came, from whom, and what nobody knows."""

from ipaddress import ip_address, ip_network

import pytest

from gateway.authres.received import received_field
from gateway.tuning.arrival import MAX_HEADER, Arrival, IPAddress, arrived
from tests.support.deliveries import CONNECTION, envelope
from tests.support.effort import Work, run_within

OWN = ip_network("198.51.100.0/24")
HOSTNAME = "mx.example.org"
LETTER = b"Subject: A letter\r\nFrom: ann@sender.example\r\n\r\nHello\r\n"
BROUGHT = b"Received: from mail.sender.example (unknown [192.0.2.7]) by mx1.example.org for <bob@example.org>; x\r\n"
INSIDE = b"Received: from mx.example.org (mx.example.org [%s])\r\n\tby imap.example.org for <bob@example.org>; x\r\n"
EARLIER = b"Received: from pc (pc [203.0.113.9]) by mail.sender.example; x\r\n"


def arrival(raw: bytes) -> Arrival:
    def is_own(ip: IPAddress) -> bool:
        return ip in OWN

    return arrived(raw, hostname=HOSTNAME, is_own=is_own)


def client_of(value: bytes) -> tuple[str, str] | None:
    found = arrival(b"Received: " + value + b"\r\n" + LETTER)
    return (str(found.ip), found.helo) if found.ip else None


@pytest.mark.parametrize("inside", [b"198.51.100.4", b"10.1.2.3", b"127.0.0.1", b"IPv6:fd00::1"])
def test_it_came_from_the_first_client_that_is_none_of_ours(inside: bytes) -> None:
    top = b"Return-Path: <ann@sender.example>\r\nDelivered-To: bob@example.org\r\nX-Spam-Flag: YES\r\n"
    assert arrival(top + INSIDE % inside + BROUGHT + EARLIER + LETTER) == Arrival(
        octets=EARLIER + LETTER,
        ip=ip_address("192.0.2.7"),
        helo="mail.sender.example",
        mail_from="<ann@sender.example>",
        recipient="bob@example.org",
    )


def test_the_field_that_we_have_written_goes_before_all_others() -> None:
    """A client may be of our own networks."""
    ours = received_field(
        CONNECTION, envelope("bob@example.org"), hostname=HOSTNAME, client_name="", now=1.7e9, ident="c1.1"
    )
    found = arrival(INSIDE % b"192.0.2.99" + ours + EARLIER + LETTER)
    assert (found.ip, found.octets, found.recipient) == (CONNECTION.ip, EARLIER + LETTER, "bob@example.org")


def test_where_no_field_tells_nothing_is_known_and_nothing_is_taken_off() -> None:
    assert arrival(LETTER) == Arrival(octets=LETTER)
    local = INSIDE % b"127.0.0.1" + b"Received: by pc (from userid 0); x\r\n" + LETTER
    assert arrival(local) == Arrival(octets=local)


@pytest.mark.parametrize(
    ("path", "found"),
    [(b"<>", "<>"), (b"<ann@sender.example>", "<ann@sender.example>"), (b"ann", None), (b"<a b>", None), (b"", None)],
)
def test_the_sender_is_what_return_path_says(path: bytes, found: str | None) -> None:
    assert arrival(b"Return-Path: " + path + b"\r\n" + LETTER).mail_from == found


def test_a_return_path_that_the_sender_has_written_is_not_believed() -> None:
    assert arrival(BROUGHT + b"Return-Path: <boss@example.org>\r\n" + LETTER).mail_from is None


@pytest.mark.parametrize(
    ("value", "client"),
    [
        (b"from a.example (b.example [192.0.2.7]) by mx; x", ("192.0.2.7", "a.example")),
        (b"from [203.0.113.1] (b.example [192.0.2.7]) by mx; x", ("192.0.2.7", "[203.0.113.1]")),
        (b"from unknown (HELO a.example) (192.0.2.7) by mx with SMTP; x", ("192.0.2.7", "a.example")),
        (b"from b.example ([192.0.2.7] helo=a.example) by mx with esmtp (Exim); x", ("192.0.2.7", "a.example")),
        (b"from unknown (HELO [203.0.113.1]) (192.0.2.7) by mx with SMTP; x", ("192.0.2.7", "[203.0.113.1]")),
        (b"from b ([192.0.2.7] helo=[203.0.113.1]) by mx with esmtp (Exim); x", ("192.0.2.7", "[203.0.113.1]")),
        (b"from a (proxy [203.0.113.1]) (b [192.0.2.7]) by mx with esmtp; x", ("192.0.2.7", "a")),
        (b"from a.example (192.0.2.7) by mx (198.51.100.1) with Microsoft SMTP Server; x", ("192.0.2.7", "a.example")),
        (b"from a.example (b.example [192.0.2.7] (may be forged))\r\n\tby mx (8.9.3); x", ("192.0.2.7", "a.example")),
        (b"from a (b [IPv6:2001:db8::7]) (using TLSv1.3 (256/256 bits)) by mx; x", ("2001:db8::7", "a")),
        (b"from [192.0.2.7] by mx with NNFMP; x", ("192.0.2.7", "[192.0.2.7]")),
        (b"from a.example ([999.0.2.7]) by mx; x", None),
        (b"(qmail 42080 invoked from network); x", None),
        (b"from nowhere", None),
        (b"", None),
    ],
)
def test_forms_of_received(value: bytes, client: tuple[str, str] | None) -> None:
    assert client_of(value) == client


def test_line_ends_and_the_separator_of_mbox_are_no_part_of_it() -> None:
    raw = b"From ann@sender.example  Mon Nov 23 10:00:00 2026\n" + LETTER.replace(b"\r\n", b"\n")
    assert arrival(raw).octets == LETTER


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"\n\nx", b"Received: from", b"Received", b"\0\xff", BROUGHT[:-2]])
def test_anything_can_be_read(raw: bytes) -> None:
    assert arrival(raw).octets in (raw, raw.replace(b"\n", b"\r\n"), b"")


@pytest.mark.parametrize(
    "part",
    [b"Received: from (HELO (HELO [", b"Received: from a ([[1.1.1.1 ", b"Received: from a ([1.1.1.1]) for <for <"],
)
def test_a_header_of_any_size_is_read_in_linear_time(part: bytes) -> None:
    run_within(reading, part, milliseconds=3000, mebibytes=256)  # some 100 ms; what is quadratic takes minutes


def reading(part: bytes) -> Work:
    many = b"\r\n".join([part * 40] * 800) + b"\r\n" + LETTER
    long = part * (MAX_HEADER // len(part) - 100) + b"\r\n" + LETTER
    return lambda: [arrival(many), arrival(long)]


def test_of_a_header_that_is_too_large_nothing_is_taken() -> None:
    raw = b"X: " + b"x" * MAX_HEADER + b"\r\n" + BROUGHT + LETTER
    assert arrival(raw) == Arrival(octets=raw)


def test_names_of_any_length_are_read_in_linear_time() -> None:
    run_within(naming, 1980, milliseconds=1500, mebibytes=256)  # some 50 ms; what is quadratic takes half a minute


def naming(length: int) -> Work:
    raw = (b"Received: from " + b"x" * length + b"\r\n") * (MAX_HEADER // (length + 17)) + LETTER
    return lambda: arrival(raw)
