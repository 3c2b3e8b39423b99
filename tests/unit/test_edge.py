"""What the session would refuse before there is a journey."""

import pytest

from gateway.edge import refused_octets, take
from gateway.smtp.intake import Unclean
from gateway.smtp.settings import SessionSettings

LETTER = b"From: a@b.example\r\n\r\nx\r\n"


def refused(octets: bytes, **settings: object) -> list[str]:
    intake = take(octets, SessionSettings.model_validate(settings), lambda taken: None)
    return [str(refusal.reply)[:3] for refusal in refused_octets(intake)]


@pytest.mark.parametrize(
    ("octets", "reply"),
    [
        (LETTER, []),
        (b"", []),
        (LETTER + b".\r\n..\r\n", []),
        (LETTER + b"\r\n.\r\nMAIL FROM:<>\r\n", []),
        (LETTER + b"\0\r\n", ["554"]),
        (LETTER + b"a\nb\r\n", ["554"]),
        (LETTER + b"a\rb\r\n", ["554"]),
        (LETTER + b"a\r", ["554"]),
        (LETTER + b"x" * 998 + b"\r\n", []),
        (LETTER + b"x" * 999 + b"\r\n", ["554"]),
        (LETTER + b"x" * 999, ["554"]),
        (LETTER + b"x\r\n" * 30_000, ["552"]),
    ],
)
def test_octets_are_judged_by_the_limits_of_the_session(octets: bytes, reply: list[str]) -> None:
    assert refused(octets, max_line=1000, max_size=65536) == reply


def test_unclean_text_that_is_normalised_is_not_refused() -> None:
    octets = LETTER + b"a\nb\0\r\n"
    assert refused(octets) == ["554"]
    assert refused(octets, unclean_text=Unclean.NORMALISE) == []


def test_what_is_kept_is_what_the_session_would_keep() -> None:
    kept = bytearray()
    take(LETTER + b"no end", SessionSettings(), kept.extend)
    assert kept == LETTER + b"no end\r\n"
