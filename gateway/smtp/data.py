"""Data: turns what a client sends after DATA into the octets of the message (RFC 5321 sections 4.1.1.4 and 4.5.2).

Only CRLF.CRLF ends a message. A bare CR, a bare LF and a NUL never do, and a message that has one is read to its true
end: that is what stands against SMTP smuggling.
"""

import re

from gateway.smtp.intake import Intake

END = b"\r\n.\r\n"
UNDECIDED = len(END) - 1  # so many octets at the end of what has come may be the beginning of END

_dot_re = re.compile(rb"\r\n\.")


class DataReader:
    """Reads one message, in pieces of any size; its octets go to the intake, in pieces again."""

    __slots__ = ("_has_begun", "_intake", "_pending")

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        # The CRLF of the DATA line itself stands before the first octet: what follows it is at the start of a line.
        self._pending = bytearray(b"\r\n")
        self._has_begun = False

    def feed(self, data: bytes | bytearray) -> bytearray | None:
        """Take the next octets. Once the message has ended, return those that follow it; they are commands."""
        pending = self._pending
        pending += data
        end = pending.find(END) if _has_dots(pending) else -1
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
        octets = piece.replace(b"\r\n.", b"\r\n") if _has_dots(piece) else piece
        if not self._has_begun:
            self._has_begun = True
            del octets[:2]
        self._intake.take(octets)


def _has_dots(octets: bytearray) -> bool:
    """Whether a line begins with a dot. In most pieces none does, and this is told in a third of the time that looking
    for END, or for what is stuffed, takes; where there is no dot at all, as in base64, in none."""
    return b"." in octets and _dot_re.search(octets) is not None
