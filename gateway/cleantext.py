"""Clean text: turns a message whose lines are not as RFC 5321 has them into the one that goes on in its place.

Every CR, LF and CRLF becomes a CRLF, a NUL becomes a space, and a line above the limit is broken. Signatures do not
outlive that, so it is an option, and what looks at signatures looks at the message as it came.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator

from gateway.lines import to_crlf
from gateway.message import CHUNK, Content

BREATH = 1 << 20  # octets cleaned, in some 10 ms, before other sessions of this worker get their turn

_line_re = re.compile(rb"[^\r\n]++")


class CleanText:
    """The clean form of `content`, a gateway.message.Content itself. Nothing of it is kept: it is made anew for each
    reader."""

    def __init__(self, content: Content, *, max_line: int, size: int) -> None:
        self._content = content
        self._max_line = max_line
        self.size = size

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        passed = 0
        for piece in cleaned(self._content.chunks(), max_line=self._max_line):
            passed += len(piece)
            if passed > start:
                yield piece[start - passed :] if passed - len(piece) < start else piece


async def clean_text(content: Content, *, max_line: int) -> CleanText:
    """The clean form of `content`, which is read once to know its size."""
    size = breath = 0
    for piece in cleaned(content.chunks(), max_line=max_line):
        size += len(piece)
        if size - breath >= BREATH:
            breath = size
            await asyncio.sleep(0)
    return CleanText(content, max_line=max_line, size=size)


def cleaned(chunks: Iterable[bytes], *, max_line: int) -> Iterator[bytes]:
    """The octets of a message in clean lines of at most `max_line` octets with their CRLF, in pieces of at most
    CHUNK."""
    held, begun = b"", 0
    for chunk in chunks:
        octets = held + chunk
        held = octets[-1:] if octets.endswith(b"\r") else b""  # an LF may follow
        lines = to_crlf(octets.removesuffix(held) if held else octets).replace(b"\0", b" ")
        piece, begun = _broken(lines, begun, max_line - 2)
        yield from (piece[start : start + CHUNK] for start in range(0, len(piece), CHUNK))
    if held:
        yield b"\r\n"


def _broken(lines: bytes, begun: int, width: int) -> tuple[bytes, int]:
    """Break the lines of more than `width` octets. `begun` octets of the first one came before; so many of the last
    one have come now."""

    def parts(match: re.Match[bytes]) -> bytes:
        line = match[0]
        return b"\r\n".join(line[start : start + width] for start in range(0, len(line), width))

    whole = _line_re.sub(parts, bytes(begun) + lines)
    return whole[begun:], len(whole) - whole.rfind(b"\n") - 1
