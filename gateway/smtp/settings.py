"""Settings of the SMTP session: what one client may send, and how long it may take (RFC 5321 section 4.5.3)."""

from pydantic import Field

from gateway.settings import Section

MIB = 1024 * 1024
NO_DELAY = 0.0


class SessionSettings(Section):
    """The table [session]: limits of one client connection."""

    max_size: int = Field(50 * MIB, ge=65536)
    """Octets of a message, announced by SIZE. Above what large providers send, so that they are refused by nobody."""

    max_line: int = Field(65536, ge=1000)
    """Octets of a line of a message with its CRLF. RFC 5321 promises 1000 and no more, but common software sends a
    whole HTML part in one line, and common servers take it; what is longer than this serves an attack only."""

    max_recipients: int = Field(100, ge=100)
    """Recipients of a message; 100 is what RFC 5321 section 4.5.3.1.8 promises. Further ones are answered 452 4.5.3,
    and senders bring them in another transaction."""

    max_refused_recipients: int = Field(100, ge=1)
    """Recipients refused between two accepted messages; then the connection is closed, for strangers only. It stops
    those who guess addresses, and lets a mailing list with many dead addresses through."""

    max_errors: int = Field(20, ge=1)
    """Wrong commands between two accepted messages; then the connection is closed. A mail server makes none."""

    max_commands: int = Field(100, ge=10)
    """Commands other than RCPT between two accepted messages; then the connection is closed, for strangers only.
    Honest senders need four."""

    max_messages: int = Field(1000, ge=1)
    """Transactions of a connection; then it is closed, for strangers only, so that none keeps a worker for ever."""

    offer_dsn: bool = False
    """Whether delivery status notifications (RFC 3461) are offered. EHLO comes before it is known where mail goes, so
    say true only if the server of every route offers DSN too; `mailward doctor` looks."""

    max_connections: int = Field(2000, ge=1)
    """Open connections of one worker; further ones of strangers are answered 421 4.3.2. An idle one costs some ten
    KiB."""

    banner_delay: float = Field(NO_DELAY, ge=0, le=30)
    """Seconds before the banner, for strangers only. Who talks before it is no mail server; rules see it as a fact."""

    command_timeout: float = Field(300, gt=0)
    """Seconds to wait for a command; five minutes are what RFC 5321 section 4.5.3.2.7 asks for."""

    idle_timeout: float = Field(600, gt=0)
    """Seconds between two transactions, whatever other commands come in between: NOOP and RSET extend nothing."""

    connection_timeout: float = Field(3600, gt=0)
    """Seconds of a connection, after which no further command is awaited. A sender with more mail connects again."""

    block_timeout: float = Field(180, gt=0)
    """Seconds to wait for the next octets of a message; RFC 5321 section 4.5.3.2.5 gives a block three minutes."""

    data_timeout: float = Field(1200, gt=0)
    """Seconds for a whole message, from 354 to the final dot. 50 MiB need 44 KB/s, which the slowest sender has."""

    handshake_timeout: float = Field(30, gt=0)
    """Seconds for a TLS handshake: two round trips and little computing."""
