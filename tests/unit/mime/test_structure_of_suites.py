"""The messages of other projects' tests: our outline is that of Python's email package where we call it complete."""

import email
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path

import pytest

from gateway.lines import to_crlf
from gateway.mime.heading import ENCLOSED_TYPES
from gateway.mime.outline import Soundness
from gateway.mime.structure import Structure
from tests.support.mailbytes import message_of

pytestmark = pytest.mark.suites

LARGEST = 2_000_000  # octets

# Where Python's package is wrong, and sees one part: their boundaries are folded within their quotes.
SEES_ONE_PART = ("multi-badnames", "multi-clen", "multi-simple", "012")


def theirs(message: Message) -> Iterator[str]:
    """The media types that the email package sees, of those parts that we look into as well."""
    kind = message.get_content_type()
    yield kind
    payload = message.get_payload()
    if isinstance(payload, list) and (kind.startswith("multipart/") or kind in ENCLOSED_TYPES):
        for part in payload:
            yield from theirs(part)


def test_outline_is_what_another_parser_sees(suites: Path, score: Callable[[str, int, int], None]) -> None:
    alike = complete = 0
    differing = []
    for file in sorted((suites / "mime").rglob("*")):
        if not file.is_file() or file.suffix in (".json", ".md", ".txt", ".xml") or file.stat().st_size > LARGEST:
            continue
        octets = to_crlf(file.read_bytes())
        message = message_of(octets)
        structure = Structure(message.fields)
        for chunk in message.body():
            structure.feed(chunk)
        outline = structure.outline()
        if outline.soundness is not Soundness.COMPLETE or file.name.startswith(SEES_ONE_PART):
            continue
        complete += 1
        same = [entity.media_type for entity in outline.entities] == list(theirs(email.message_from_bytes(octets)))
        alike += same
        if not same:
            differing.append(str(file.relative_to(suites)))
    score("MIME structures as Python's email package sees them", alike, complete)
    assert complete > 400
    assert differing == []
