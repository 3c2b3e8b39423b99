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
            self._take(pending[: end + 2], dot)
            return pending[end + len(END) :]
        # Cut before a CR, so that neither a CRLF nor a stuffed dot is ever torn apart.
        cut = pending.find(b"\r", max(len(pending) - UNDECIDED, 0))
        if cut < 0:
            cut = len(pending)
        self._pending = pending[cut:]
        del pending[cut:]
        self._take(pending, dot)
        return None

    def _take(self, piece: bytearray, dot: int) -> None:
        """`dot` says where the first line is that begins with one, in the piece or behind it."""
        if not piece:
            return
        is_stuffed = 0 <= dot < len(piece) - 2
        octets = piece.replace(b"\r\n.", b"\r\n") if is_stuffed else piece
        if not self._has_begun:
            self._has_begun = True
            del octets[:2]
        self._intake.take(octets)
