"""Chunks: turns the BDAT commands of a message and the octets behind them into the octets of the message (RFC 3030).

No octet of a chunk has a meaning to the protocol: no dot is stuffed, and no sequence ends anything.
"""

import re

from msgspec import Struct

from gateway.smtp.intake import Intake

_chunk_re = re.compile(r"([0-9]{1,20})(?: +(LAST))?\Z", re.IGNORECASE | re.ASCII)


class Chunk(Struct, frozen=True):
    """What a BDAT command announces. The octets come right behind its line."""

    size: int
    is_last: bool


def parse_chunk(argument: str) -> Chunk | None:
    """Parse what follows "BDAT "; None where it cannot be known how many octets follow."""
    match = _chunk_re.match(argument)
    return Chunk(size=int(match[1]), is_last=match[2] is not None) if match else None


class ChunkReader:
    """Reads the chunks of one message, in pieces of any size; chunks and pieces may be torn apart anywhere."""

    __slots__ = ("_holds_cr", "_intake")

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._holds_cr = False  # the octets so far end with a CR, whose LF may be the next

    def feed(self, octets: bytearray) -> None:
        """Take the next octets of a chunk."""
        if self._holds_cr:
            octets[:0] = b"\r"
        self._holds_cr = octets.endswith(b"\r")
        if self._holds_cr:
            del octets[-1]
        self._intake.take(octets)

    def end(self) -> None:
        """The last chunk is whole."""
        if self._holds_cr:
            self._intake.take(bytearray(b"\r"))
        self._intake.finish()
