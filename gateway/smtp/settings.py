"""Settings of the SMTP session: what one client may send, and how long it may take (RFC 5321 section 4.5.3)."""

from ipaddress import IPv4Address, IPv6Address

from pydantic import Field

from gateway.settings import Section
from gateway.smtp.intake import Unclean
from gateway.smtp.offer import Extension

MIB = 1024 * 1024
NO_DELAY = 0.0


class SessionSettings(Section):
    """The table [session]: limits of one client connection."""

    max_size: int = Field(50 * MIB, ge=65536)
    """Octets of a message, announced by SIZE. Above what large providers send, so that they are refused by nobody."""

    max_line: int = Field(65536, ge=1000)
    """Octets of a line of a message with its CRLF. RFC 5321 promises 1000 and no more, but common software sends a
    whole HTML part in one line, and common servers take it; what is longer than this serves an attack only."""

    unclean_text: Unclean = Unclean.REJECT
    """What becomes of a message with a bare CR, a bare LF, a NUL or a line above max_line. reject: 554 5.6.11.
    normalise-breaking-signatures: where all that is in the body, line ends become CRLF, a NUL becomes a space, and long
    lines are broken, after SPF, DKIM, ARC and DMARC were checked on what came; whoever checks a signature later finds
    it broken. In the header it is refused in any case."""

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
    Honest senders need four. A chunk (BDAT) counts where it has less than 1024 octets, since a large message may come
    in thousands of larger ones."""

    max_messages: int = Field(1000, ge=1)
    """Transactions of a connection; then it is closed, for strangers only, so that none keeps a worker for ever."""

    max_octets: int = Field(1024 * MIB, ge=MIB)
    """Octets of all messages of a connection, taken or not; then it is closed at the next message, for strangers only,
    as above."""

    max_all_recipients: int = Field(10_000, ge=100)
    """Accepted recipients of a connection; then it is closed at the next message, for strangers only, as above."""

    withhold: tuple[Extension, ...] = ()
    """Extensions that are not offered: "CHUNKING", "DSN", "LIMITS", "REQUIRETLS". Of themselves DSN and REQUIRETLS are
    offered while every next hop is known to have them, REQUIRETLS over TLS only and where all routes have
    tls = "verified"."""

    max_connections: int = Field(2000, ge=1)
    """Open connections of the host; further ones of strangers are answered 421 4.3.2. docs/performance.md says what an
    idle one costs."""

    max_connections_per_address: int = Field(50, ge=1)
    """Those from one address; further ones of a stranger are answered 421 4.7.0. As many as Postfix allows by
    default."""

    max_connections_per_prefix: int = Field(400, ge=1)
    """Those from one network; further ones of strangers are answered 421 4.7.0. A fifth of all: nobody who rents a
    network, and no provider with hundreds of servers in one, can take the room of all others."""

    ipv4_prefix: int = Field(24, ge=8, le=32)
    """Bits of an IPv4 address that name its network: /24 is the smallest that is routed by itself."""

    ipv6_prefix: int = Field(48, ge=16, le=128)
    """The same for IPv6: /48 is what one customer gets at most, with 65,536 networks of 2^64 addresses each in it."""

    banner_delay: float = Field(NO_DELAY, ge=0, le=30)
    """Seconds before the banner, for strangers only. Who talks before it is no mail server; rules see it as a fact.
    They do so without a delay too, where what a client sent first acknowledges no banner; only behind a TCP proxy on
    this network, which acknowledges for its clients, a delay shows more."""

    tarpit: float = Field(0, ge=0, le=60)
    """Seconds that a stranger waits after each wrong command and each refusal, while less than half of max_connections
    are open. Nothing of a next hop is held meanwhile. 0: nobody waits."""

    command_timeout: float = Field(300, gt=0)
    """Seconds to wait for a command; five minutes are what RFC 5321 section 4.5.3.2.7 asks for."""

    idle_timeout: float = Field(600, gt=0)
    """Seconds between two transactions, whatever other commands come in between: NOOP and RSET extend nothing."""

    connection_timeout: float = Field(3600, gt=0)
    """Seconds of a connection, after which no further command is awaited. A sender with more mail connects again."""

    block_timeout: float = Field(180, gt=0)
    """Seconds to wait for the next octets of a message; RFC 5321 section 4.5.3.2.5 gives a block three minutes."""

    data_timeout: float = Field(1200, gt=0)
    """Seconds for a whole message, from 354 to the final dot, or from the first chunk to the last. 50 MiB need 44 KB/s,
    which the slowest sender has."""

    min_rate: int = Field(500, ge=1)
    """Octets a second that a message must bring: block_timeout seconds are free, and each further one wants so many.
    Without it a small message could be drawn out to data_timeout."""

    handshake_timeout: float = Field(30, gt=0)
    """Seconds for a TLS handshake: two round trips and little computing."""

    header_timeout: float = Field(5, gt=0)
    """Seconds for the PROXY header of a balancer, which sends it at once; three are what a lost packet takes."""

    def network_of(self, ip: IPv4Address | IPv6Address) -> str:
        """The name of the network that a client at this address is in."""
        if isinstance(ip, IPv4Address):
            return f"IPv4 network {int(ip) >> (32 - self.ipv4_prefix):x}/{self.ipv4_prefix}"
        return f"IPv6 network {int(ip) >> (128 - self.ipv6_prefix):x}/{self.ipv6_prefix}"
