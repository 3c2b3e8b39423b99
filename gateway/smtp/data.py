"""Data: turns what a client sends after DATA into the octets of the message (RFC 5321 sections 4.1.1.4 and 4.5.2).

Only CRLF.CRLF ends a message. A bare CR, a bare LF and a NUL never do, and a message that has one is read to its true
end and handed to nobody: that is what stands against SMTP smuggling.
"""

from collections.abc import Callable
from enum import Enum

END = b"\r\n.\r\n"
UNDECIDED = len(END) - 1  # so many octets at the end of what has come may be the beginning of END

DISCARD = 2  # a sender who goes on past so many times the size limit is cut off: reading it all would serve nobody


class Fault(Enum):
    """Why a message that has been read to its end is not taken. The first one found stands."""

    BARE_LINE_END = "a CR or an LF without the other (RFC 5321 section 2.3.8)"
    NUL = "an octet of zero (RFC 5322 section 4.1 forbids it)"
    LONG_LINE = "a line above the limit (RFC 5321 section 4.5.3.1.6)"
    TOO_LARGE = "more octets than the limit (RFC 1870 section 6.1)"
    NO_ROOM = "the spool has no room"


class DataReader:
    """Reads one message, in pieces of any size; its octets go to `write`, in pieces again, until a fault is found.

    `max_size` (octets of the message as RFC 1870 counts them) and `max_line` (octets of a line with its CRLF, without a
    stuffed dot) are security limits. An OSError of `write` is a fault as well.
    """

    __slots__ = ("_line", "_max_line", "_max_size", "_pending", "_write", "fault", "size", "trouble")

    def __init__(self, write: Callable[[bytearray], None], *, max_size: int, max_line: int) -> None:
        self._write = write
        self._max_size = max_size
        self._max_line = max_line
        # The CRLF of the DATA line itself stands before the first octet: what follows it is at the start of a line.
        self._pending = bytearray(b"\r\n")
        self.size = -2
        self._line = 0  # octets of the line under way
        self.fault: Fault | None = None
        self.trouble: OSError | None = None  # behind Fault.NO_ROOM

    @property
    def is_hopeless(self) -> bool:
        """The sender goes on far above the size limit."""
        return self.size > DISCARD * self._max_size

    def feed(self, data: bytes | bytearray) -> bytearray | None:
        """Take the next octets. Once the message has ended, return those that follow it; they are commands."""
        pending = self._pending
        pending += data
        end = pending.find(END)
        if end >= 0:
            self._take(pending[: end + 2])
            return pending[end + len(END) :]
        # Cut before a CR, so that neither a CRLF nor a stuffed dot is ever torn apart.
        cut = pending.find(b"\r", max(len(pending) - UNDECIDED, 0))
        if cut < 0:
            cut = len(pending)
        self._pending = pending[cut:]
        del pending[cut:]
        self._take(pending)
        return None

    def _take(self, piece: bytearray) -> None:
        if not piece:
            return
        octets = piece.replace(b"\r\n.", b"\r\n")
        is_first = self.size < 0
        self.size += len(octets)
        if self.fault is None:
            self.fault = self._fault_in(piece, octets)
        if self.fault is None:
            self._line = _octets_of_last_line(octets, self._line)
            self._store(octets[2:] if is_first else octets)

    def _fault_in(self, piece: bytearray, octets: bytearray) -> Fault | None:
        line_ends = piece.count(b"\r\n")
        if piece.count(b"\n") != line_ends or piece.count(b"\r") != line_ends:
            return Fault.BARE_LINE_END
        if b"\0" in piece:
            return Fault.NUL
        if self.size > self._max_size:
            return Fault.TOO_LARGE
        if _has_line_above(self._max_line, octets, self._line):
            return Fault.LONG_LINE
        return None

    def _store(self, octets: bytearray) -> None:
        try:
            self._write(octets)
        except OSError as error:
            self.fault, self.trouble = Fault.NO_ROOM, error


def _has_line_above(limit: int, octets: bytearray, begun: int) -> bool:
    """Whether a line is longer than `limit`; `begun` octets of the first one came before. Two leaps at most pass over
    `limit` octets, so the number of lines costs nothing."""
    start = -begun
    while len(octets) - start > limit:
        line_end = octets.rfind(b"\n", max(start, 0), start + limit)
        if line_end < 0:
            return True
        start = line_end + 1
    return False


def _octets_of_last_line(octets: bytearray, begun: int) -> int:
    line_end = octets.rfind(b"\n")
    return len(octets) - line_end - 1 if line_end >= 0 else begun + len(octets)
