"""Frames: what a worker hands over is what the journal's process gets."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.facts import FactValue, Stage
from gateway.journal.frame import FORMAT, MAX_FRAME, NAMES, FrameError, decode, encode, packed, unpacked
from gateway.journal.glossary import Glossary
from gateway.record import Event, Record
from tests.support.journal import EVIDENCE, FOUND, GLOSSARY, record_of

# With NUL, and with octets that are no UTF-8 as Python has them (U+DC80 to U+DCFF).
ANY_TEXT = st.text(st.characters(codec=None).filter(lambda one: not "\ud800" <= one <= "\udbff"))


def values_of(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in NAMES}


def test_a_record_comes_back_as_it_was() -> None:
    record = record_of(dmarc=EVIDENCE)
    noted = decode(encode(record, "digest"))
    assert dict(noted.values) == values_of(record)
    assert GLOSSARY.restored(noted.facts) == dict(FOUND)
    assert (noted.settled, noted.glossary, noted.cut, noted.missing) == (Stage.SCORED, "digest", (), 0)
    assert noted.dmarc is not None
    assert noted.dmarc["spf"] == list(EVIDENCE["spf"])


def test_what_was_dropped_before_it_is_told_with_it() -> None:
    assert decode(encode(record_of(), "digest", 17)).missing == 17


def test_a_record_without_a_basis_has_no_facts() -> None:
    record = Record(event=Event.LOST, connection="c1", began=1.0, stage="data", client_ip="192.0.2.7")
    noted = decode(encode(record, "digest"))
    assert (noted.facts, noted.settled, noted.dmarc) == ({}, Stage.MAIL, None)
    assert noted.values["total"] is None


@given(st.lists(st.lists(ANY_TEXT, max_size=3), min_size=1, max_size=9))
def test_packets_have_all_frames_in_their_order_whatever_is_in_them(texts: list[list[str]]) -> None:
    frames = [encode(record_of(subject="".join(some), recipients=tuple(some)), "digest") for some in texts]
    come: list[bytes] = []
    while len(come) < len(frames):
        packet, count = packed(frames[len(come) :])
        assert len(unpacked(packet)) == count > 0
        come += unpacked(packet)
    assert come == frames


def test_a_packet_is_no_larger_than_a_frame_may_be() -> None:
    half = b"x" * (MAX_FRAME // 2)
    assert packed([half, half[1:], b"x"]) == (half + b"\n" + half[1:], 2)
    assert packed([half, half]) == (half, 1)
    assert packed([b"x" * (MAX_FRAME + 1)])[1] == 1


@given(st.dictionaries(ANY_TEXT, ANY_TEXT | st.lists(ANY_TEXT).map(tuple) | st.booleans() | st.integers(-99, 99)))
def test_any_text_comes_back_as_it_was(facts: Mapping[str, FactValue]) -> None:
    record = record_of(facts=facts, subject="".join(facts))
    noted = decode(encode(record, "digest"))
    assert Glossary({}).restored(noted.facts) == facts
    assert noted.values["subject"] == record.subject


def test_however_the_json_is_written_it_is_read() -> None:
    """A worker of before may write it otherwise."""
    frame = encode(record_of(subject="ünï \0", dmarc=EVIDENCE), "digest")
    assert decode(json.dumps(json.loads(frame), indent=1).encode()) == decode(frame)


@pytest.mark.parametrize(
    "large",
    [
        {"subject": "s" * 300_000},
        {"recipients": tuple(f"somebody{number}@example.org" for number in range(2000))},
        {"spam.symbols": ("\ud800" * 5000,) * 100},
        {f"header.x-{number}": ("\0" * 900,) * 20 for number in range(500)},
    ],
)
def test_what_is_large_is_cut_and_named(large: dict[str, FactValue]) -> None:
    record = record_of(facts={**FOUND, **large}, sender="s" * 100_000, recipients=("r" * 1000,) * 1000)
    frame = encode(record, "digest")
    assert len(frame) <= MAX_FRAME
    noted = decode(frame)
    assert large.keys() <= set(noted.cut)
    for name in FOUND.keys() - large.keys():
        assert name in noted.cut or noted.facts[name] == (
            list(value) if isinstance(value := FOUND[name], tuple) else value if name != "client.ip" else "192.0.2.7"
        )


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"\xff\xff",
        b"[" * 20_000,
        encode(record_of(), "digest").replace(b"[%d," % FORMAT, b"[%d," % (FORMAT + 1), 1),
        encode(record_of(), "digest").replace(b"[%d," % FORMAT, b"[1,1,", 1),
        encode(record_of(), "digest")[:-5],
        encode(record_of(), "digest")[:-1] + b",7]",
        encode(record_of(milliseconds={}), "digest").replace(b",{}]", b",{},7]", 1),
        encode(record_of(milliseconds={}), "digest").replace(b",{}]", b"]", 1),
        encode(record_of(), "digest").replace(b'"m1"', b"7", 1),
        encode(record_of(subject="\udc80"), "digest").replace(b'"m1"', b"7", 1),
        encode(record_of(), "digest", missing=1 << 49),
        encode(record_of(), "digest", missing=-1),
    ],
)
def test_what_is_no_frame_of_ours_is_an_error(frame: bytes) -> None:
    with pytest.raises(FrameError):
        decode(frame)
