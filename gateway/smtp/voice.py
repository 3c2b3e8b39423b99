"""Voice: what is said to one client. Turns refusals into their count, and the last one into a farewell."""

from gateway.reply import Reply
from gateway.smtp.outbox import Outbox
from gateway.smtp.tally import Tally

SERVICE_CLOSING = 421  # RFC 5321 section 3.8: the connection is closed after it, whoever said it


class Voice:
    """Once there is a farewell the talk is over; whoever ends the session says it."""

    __slots__ = ("_outbox", "_tally", "farewell", "has_refused")

    def __init__(self, outbox: Outbox, tally: Tally) -> None:
        self._outbox = outbox
        self._tally = tally
        self.farewell: Reply | None = None
        self.has_refused = False  # since somebody has last looked

    def say(self, reply: Reply) -> None:
        if reply.code >= 400:
            if reply.code == SERVICE_CLOSING:
                return self.dismiss(reply)
            self.has_refused = True
        return self._outbox.say(reply)

    def prompt(self, reply: Reply) -> None:
        """Say what the client waits for before it goes on, at once."""
        self._outbox.say(reply)
        self._outbox.flush()

    def refuse(self, refusal: Reply) -> None:
        """Answer a wrong command."""
        self.say(refusal)
        self.dismiss(self._tally.error())

    def dismiss(self, farewell: Reply | None) -> None:
        """The talk is over if there is a farewell."""
        self.farewell = farewell or self.farewell
