"""Bare CR, bare LF, NUL and long lines: refused, or where the site says so normalised, in the body alone and after the
checks have looked at what came. In neither case does anybody get them as they came."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cleantext import clean_text
from gateway.smtp.chunks import ChunkReader
from gateway.smtp.data import DataReader
from gateway.smtp.intake import Intake, Unclean
from tests.support.checking import ScriptedCheck
from tests.support.deliveries import Octets
from tests.support.dnstable import TableResolver
from tests.support.front import listening
from tests.support.journeys import LETTER, walking

HEADER = b"From: Ann <ann@sender.example>\r\nSubject: x\r\n\r\n"
REFUSED = "554 5.6.11"


@pytest.mark.parametrize(
    ("body", "clean"),
    [
        (b"one\ntwo\r\n", b"one\r\ntwo\r\n"),
        (b"one\rtwo\r\n", b"one\r\ntwo\r\n"),
        (b"one\0two\r\n", b"one two\r\n"),
        (b"x" * 1500 + b"\r\n", b"x" * 998 + b"\r\n" + b"x" * 502 + b"\r\n"),
        (b"\n.\nQUIT\n.\r.\r\n", b"\r\n.\r\nQUIT\r\n.\r\n.\r\n"),
    ],
    ids=["lf", "cr", "nul", "long", "ends"],
)
async def test_body_is_refused_or_normalised(body: bytes, clean: bytes) -> None:
    for unclean in Unclean:
        async with listening(unclean_text=unclean, max_line=1000) as gateway:
            wire = await gateway.in_data()
            await wire.send(HEADER + body + b".\r\n")
            answer = await wire.reply()
            if unclean is Unclean.REJECT:
                assert answer.startswith(REFUSED)
                assert gateway.told.messages == []
            else:
                assert answer.startswith("250 ")
                assert gateway.told.messages == [HEADER + body]
                assert gateway.told.cleaned == [HEADER + clean]


@pytest.mark.parametrize("unclean", Unclean)
@pytest.mark.parametrize(
    "header",
    [
        b"Subject: x\nFrom: evil@example.org\r\n\r\n",
        b"Subject: x\n\nFrom: evil@example.org\r\n\r\n",
        b"Subject: x\rFrom: evil@example.org\r\n\r\n",
        b"Subject: x\0\r\n\r\n",
        b"Subject: " + b"x" * 2000 + b"\r\n\r\n",
        b"\n\r\n",
        b"no header\nat all\r\n",
    ],
)
@pytest.mark.parametrize("how", ["send", "trickle"])
async def test_header_is_refused_in_any_case(header: bytes, unclean: Unclean, how: str) -> None:
    """Where the header ends must be the same for those who check a message and for those who get it."""
    async with listening(unclean_text=unclean, max_line=1000) as gateway:
        wire = await gateway.in_data()
        await getattr(wire, how)(header + b"body\r\n.\r\n")
        assert (await wire.reply()).startswith(REFUSED)
        assert gateway.told.messages == []


TEXT = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b"a: b", b"."]), max_size=30).map(b"".join)
_empty_line_re = re.compile(rb"(?:\A|(?>\r\n|\r|\n))(?>\r\n|\r|\n)")


@given(TEXT, st.integers(1, 9))
def test_header_ends_at_the_same_place_for_all(text: bytes, size: int) -> None:
    """Before the first empty line, whatever ends a line for whom, there is nothing that ends a line for some only."""
    written = bytearray()
    intake = Intake(written.extend, max_size=10_000, max_line=1000, unclean=Unclean.NORMALISE)
    reader = DataReader(intake)
    octets = text.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n"
    for start in range(0, len(octets), size):
        reader.feed(octets[start : start + size])
    if intake.fault is None:
        content = bytes(written)
        ends = _empty_line_re.search(content)
        header = content[: ends.end()] if ends else content
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", header)


@pytest.mark.parametrize("body", [b"x" * 30 + b"\r\n", b"\n" + b"x" * 30, b"one\r\r\n\0" + b"x" * 30 + b"\rtwo"])
def test_what_becomes_of_a_message_does_not_hang_on_its_packets(body: bytes) -> None:
    text = b"a: b\r\n\r\n" + body + b"\r\n"
    for cut in range(len(text)):
        for after in range(cut, len(text)):
            kept = bytearray()
            intake = Intake(kept.extend, max_size=1000, max_line=20, unclean=Unclean.NORMALISE)
            chunks = ChunkReader(intake)
            for piece in (text[:cut], text[cut:after], text[after:]):
                chunks.feed(bytearray(piece))
            chunks.end()
            assert (intake.fault, intake.is_clean, kept) == (None, False, text)


async def test_a_clean_message_has_no_other_form() -> None:
    async with listening(unclean_text=Unclean.NORMALISE) as gateway:
        wire = await gateway.in_data()
        await wire.send(LETTER + b".\r\n")
        assert (await wire.reply()).startswith("250 ")
        assert gateway.told.cleaned == [None]


async def test_checks_see_what_came_and_scanners_and_mailboxes_what_goes_on(tmp_path: Path) -> None:
    raw, clean = LETTER + b"one\ntwo\r\n", LETTER + b"one\r\ntwo\r\n"
    dkim, spam = ScriptedCheck("dkim"), ScriptedCheck("spam")
    async with walking(tmp_path, TableResolver({})) as walk:
        walk.with_wave("message", dkim)
        walk.with_wave("scoring", spam)
        await walk.connect()
        await walk.transaction("alice@example.org")
        content = Octets(raw)
        answer = await walk.journey.message(content, await clean_text(content, max_line=1000))  # type: ignore[arg-type]
        assert answer.is_success
        assert b"".join(dkim.asked[0].message.content.chunks()) == raw  # type: ignore[union-attr]
        assert b"".join(spam.asked[0].copy.chunks()).endswith(clean)  # type: ignore[union-attr]
        assert walk.delivered()[0].endswith(clean)
