"""Data: turns what a client sends after DATA into the octets of the message (RFC 5321 sections 4.1.1.4 and 4.5.2).

Only CRLF.CRLF ends a message. A bare CR, a bare LF and a NUL never do, and a message that has one is read to its true
end: that is what stands against SMTP smuggling.
"""

from gateway.smtp.intake import Intake

END = b"\r\n.\r\n"
UNDECIDED = len(END) - 1  # so many octets at the end of what has come may be the beginning of END
DOT = ord(".")


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
        # Few pieces have a line with a dot first. Where there is no dot at all, as in base64, it costs nothing to tell.
        dot = pending.find(b"\r\n.") if DOT in pending else -1
        end = pending.find(END, dot) if dot >= 0 else -1
        if end >= 0:
            cut, rest = end + 2, pending[end + len(END) :]
        else:  # cut before a CR, so that neither a CRLF nor a stuffed dot is ever torn apart
            cut, rest = pending.find(b"\r", max(len(pending) - UNDECIDED, 0)), None
            if cut < 0:
                cut = len(pending)
            self._pending = pending[cut:]
        del pending[cut:]
        if 0 <= dot < cut - 2:  # else the first line with a dot is behind this piece
            pending = pending.replace(b"\r\n.", b"\r\n")
        if pending and not self._has_begun:
            self._has_begun = True
            del pending[:2]
        self._intake.take(pending)
        return rest
