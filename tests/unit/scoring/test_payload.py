"""What spamd is sent."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.envelope import Address
from gateway.message import Stamped, parse_message
from gateway.scoring.payload import Excerpt, Whole, make_payload, return_path
from gateway.system.spool import Spool

SENDER = Address(local="ann", domain="example.org")
HEADER = b"Authentication-Results: mx.example.org; none\r\nSubject: x\r\n"
RETURN_PATH = b"Return-Path: <ann@example.org>\r\n"


def stamped(body: bytes) -> Stamped:
    spool = Spool(threshold=10_000_000, directory=Path("/nonexistent"))
    spool.write(b"Subject: x\r\n\r\n" + body)
    return Stamped(header=HEADER, message=parse_message(spool, max_header=1000))


def sent(payload: Whole | Excerpt) -> bytes:
    octets = b"".join(payload.chunks())
    assert len(octets) == payload.size
    return octets


def test_small_message_is_sent_whole_below_its_return_path():
    payload = make_payload(stamped(b"Hello\r\n"), SENDER, max_size=4096)
    assert not payload.truncated
    assert sent(payload) == RETURN_PATH + HEADER + b"\r\nHello\r\n"


def test_payload_can_be_read_again_for_another_host():
    payload = make_payload(stamped(b"Hello\r\n"), SENDER, max_size=4096)
    assert sent(payload) == sent(payload)


def test_message_of_exactly_the_limit_is_sent_whole():
    size = len(RETURN_PATH + HEADER + b"\r\nHello\r\n")
    assert not make_payload(stamped(b"Hello\r\n"), SENDER, max_size=size).truncated
    assert make_payload(stamped(b"Hello\r\n"), SENDER, max_size=size - 1).truncated


@given(lines=st.lists(st.integers(0, 990), min_size=1, max_size=200), limit=st.integers(2000, 60_000))
def test_large_message_is_cut_after_a_line_end_near_the_limit(lines, limit):
    body = b"".join(b"x" * length + b"\r\n" for length in lines)
    payload = make_payload(stamped(body), SENDER, max_size=limit)
    octets = sent(payload)
    whole = RETURN_PATH + HEADER + b"\r\n" + body
    assert whole.startswith(octets)
    assert octets.endswith(b"\r\n")
    assert payload.truncated == (len(whole) > limit)
    if payload.truncated:
        assert limit - 1000 <= len(octets) <= limit


def test_line_without_an_end_hides_nothing_of_what_fits():
    payload = make_payload(stamped(b"spam" * 100_000), SENDER, max_size=50_000)
    assert payload.size == 50_000


def test_null_sender_has_an_empty_return_path():
    assert return_path(None) == b"Return-Path: <>\r\n"


@pytest.mark.parametrize(
    ("local", "shown"),
    [
        ("ann", "ann"),
        ("bounce+ann=example.net", "bounce+ann=example.net"),
        ("=?utf-8?q?pay=40bank.example=3E?=", "=-utf-8-q-pay=40bank.example=3E-="),
        ('"pay@bank.example> <"', "-pay-bank.example----"),
        ("\u00e4nn", "-nn"),
    ],
)
def test_local_part_cannot_become_another_address(local, shown):
    assert (
        return_path(Address(local=local, domain="evil.example")) == f"Return-Path: <{shown}@evil.example>\r\n".encode()
    )
