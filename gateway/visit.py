"""Visit: what an SMTP session asks while a client is connected. The one knows the protocol, the other the journey."""

from typing import Protocol

from gateway.connection import Connection
from gateway.envelope import Envelope, Recipient
from gateway.message import Content
from gateway.reply import Reply, reply
from gateway.system.spool import Spool

INTERNAL_ERROR = reply("451 4.3.0", "Local trouble, try again later")  # what the client is told where a visit raises


class Visit(Protocol):
    """One client connection on its journey. Each answer is what the client is told."""

    async def connect(self, connection: Connection) -> Reply | None:
        """The client is here, before the banner. A reply refuses it (421, 554) and ends the connection."""
        ...

    async def helo(self, connection: Connection) -> Reply | None:
        """HELO or EHLO (again after STARTTLS). A reply refuses it."""
        ...

    async def mail(self, envelope: Envelope) -> Reply:
        """MAIL FROM, parsed; the envelope has no recipients yet. A transaction begins if the reply is a success."""
        ...

    async def rcpt(self, recipient: Recipient) -> Reply:
        """RCPT TO, parsed."""
        ...

    async def message(self, spool: Spool, cleaned: Content | None = None) -> Reply:
        """All octets after DATA (dots unstuffed, without the final dot) or of all chunks. Line ends are CRLF, but where
        the site lets other text be normalised: then `cleaned` is what goes on in its place. Runs to its end even if the
        client is gone. The transaction is over afterwards. The session closes the spool."""
        ...

    def let_go(self) -> None:
        """The client is made to wait: what others need is not held for it meanwhile. Safe to call at any time."""
        ...

    async def refused(self, reply: Reply) -> None:
        """The message was refused while it was collected; the client is told so. The transaction is over."""
        ...

    async def reset(self) -> None:
        """RSET, a new HELO, QUIT, or the connection was lost before the final dot. Safe to call at any time."""
        ...
