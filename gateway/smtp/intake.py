"""Intake: takes the octets of a message as they come, counts them, and finds in them what no message may have.

RFC 5321 sections 2.3.8 and 4.5.3.1.6, RFC 5322 section 4.1, RFC 1870 section 6.1. How a message is framed, by a final
dot or by chunks, is the business of those who read it.
"""

from collections.abc import Callable
from enum import Enum, StrEnum

CR, LF, NUL = b"\r\n\0"  # as numbers: `in` takes what it looks for as one, and anything else after an exception only
DISCARD = 2  # a sender who goes on past so many times the size limit is cut off: reading it all would serve nobody


class Fault(Enum):
    """Why a message that has been read to its end is not taken. The first one found stands."""

    BARE_LINE_END = "a CR or an LF without the other (RFC 5321 section 2.3.8)"
    NUL = "an octet of zero (RFC 5322 section 4.1 forbids it)"
    LONG_LINE = "a line above the limit (RFC 5321 section 4.5.3.1.6)"
    TOO_LARGE = "more octets than the limit (RFC 1870 section 6.1)"
    NO_ROOM = "the spool has no room"


class Unclean(StrEnum):
    """What becomes of a message whose lines are not as RFC 5321 has them. It never goes on as it came."""

    REJECT = "reject"  # 554 5.6.11
    NORMALISE = "normalise-breaking-signatures"  # in the body alone, and after the signatures were checked


class Intake:
    """Takes one message. Its octets go to `write` until a fault is found.

    `max_size` (octets of the message as RFC 1870 counts them) and `max_line` (octets of a line with its CRLF) are
    security limits.
    """

    __slots__ = ("_in_header", "_line", "_max_line", "_max_size", "_unclean", "_write", "fault", "is_clean", "size")

    def __init__(
        self,
        write: Callable[[bytearray], None],
        *,
        max_size: int,
        max_line: int,
        unclean: Unclean = Unclean.REJECT,
    ) -> None:
        self._write = write
        self._max_size = max_size
        self._max_line = max_line
        self._unclean = unclean
        self._in_header = True
        self._line = 0  # octets of the line under way
        self.size = 0
        self.fault: Fault | None = None
        self.is_clean = True  # false only where unclean text is taken nonetheless

    @property
    def is_hopeless(self) -> bool:
        """The sender goes on far above the size limit."""
        return self.size > DISCARD * self._max_size

    def expect(self, count: int) -> None:
        """So many octets are announced: what would be too large is not taken to begin with."""
        if self.fault is None and self.size + count > self._max_size:
            self.fault = Fault.TOO_LARGE

    def take(self, octets: bytearray) -> None:
        """Take the next octets. They must not end between a CR and its LF."""
        self.size += len(octets)
        if self.fault is None and octets:
            if self.size > self._max_size:
                self.fault = Fault.TOO_LARGE
            elif self._unclean is Unclean.NORMALISE:
                self.fault = self._untolerated(octets)
            else:
                self.fault = _flaw_in(octets, self._line, self._max_line)
            if self.fault is None:
                ended = octets.rfind(b"\n") + 1
                self._line = len(octets) - ended + (0 if ended else self._line)
                self._write(octets)

    def finish(self) -> None:
        """The message is whole. A last line without an end gets one: DATA at the next hop cannot do without, and DKIM
        adds it before it hashes (RFC 6376 sections 3.4.3 and 3.4.4)."""
        if self._line:
            self.take(bytearray(b"\r\n"))

    def _untolerated(self, octets: bytearray) -> Fault | None:
        """What is wrong in the header is not normalised: where its fields and the body begin must be the same for those
        who check the message as it came and for those who get it as it goes on."""
        header = self._take_header(octets)
        if header and (fault := _flaw_in(octets[:header], self._line, self._max_line)) is not None:
            return fault
        body, begun = (octets[header:], 0) if header else (octets, self._line)
        if _flaw_in(body, begun, self._max_line) is not None:
            self.is_clean = False
        return None

    def _take_header(self, octets: bytearray) -> int:
        """How many of these octets belong to the header section and the empty line after it."""
        if not self._in_header:
            return 0
        if self._line == 0 and octets.startswith(b"\r\n"):
            end = 2
        elif (end := octets.find(b"\r\n\r\n") + 4) == 3:
            return len(octets)
        self._in_header = False
        return end


def _flaw_in(octets: bytearray, begun: int, max_line: int) -> Fault | None:
    """What is wrong with these lines; `begun` octets of the first one came before."""
    text = octets.replace(b"\r\n", b"  ")  # as long as it was, which saves a pass; expressions would take far longer
    if CR in text or LF in text:
        return Fault.BARE_LINE_END
    if NUL in octets:
        return Fault.NUL
    if _has_line_above(max_line, octets, begun):
        return Fault.LONG_LINE
    return None


def _has_line_above(limit: int, octets: bytearray, begun: int) -> bool:
    """Whether a line is longer than `limit`. Two leaps at most pass over `limit` octets, so the number of lines costs
    nothing."""
    start = -begun
    while len(octets) - start > limit:
        line_end = octets.rfind(b"\n", max(start, 0), start + limit)
        if line_end < 0:
            return True
        start = line_end + 1
    return False
