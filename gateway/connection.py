"""Connection: what is known of an SMTP client before it has sent a message (RFC 5321 sections 3.1 and 4.1.1.1)."""

from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from gateway.facts import Fact, FactType, FactValue, Spelling, Stage


class Role(StrEnum):
    """Who the client is to us, by its address alone."""

    STRANGER = "stranger"
    RELAY = "relay"  # a relay partner of ours: SPF would judge it instead of the sender
    INTERNAL = "internal"  # one of our own networks


class Tls(Struct, frozen=True):
    """The TLS facts of a connection, as the library reports them: "TLSv1.3", "TLS_AES_256_GCM_SHA384", 256."""

    version: str
    cipher: str
    bits: int


class Connection(Struct, frozen=True):
    """One client connection as it stands now; HELO and STARTTLS make a new value of it."""

    id: str  # unique among all workers, printable, at most 20 characters
    ip: IPv4Address | IPv6Address
    port: int
    role: Role
    opened: float  # Unix time
    helo: str = ""  # as the client sent it, printable ASCII; "" before HELO
    esmtp: bool = False  # greeted with EHLO
    tls: Tls | None = None
    early_talker: bool = False  # sent something before our banner
    via: IPv4Address | IPv6Address | None = None  # the balancer or proxy of ours that brought it

    @property
    def protocol(self) -> str:
        """The word of the Received field's "with" clause (RFC 3848), before SMTPUTF8 is considered."""
        if not self.esmtp:
            return "SMTP"
        return "ESMTPS" if self.tls else "ESMTP"

    def facts(self) -> dict[str, FactValue]:
        return {
            "client.ip": self.ip,
            "client.role": str(self.role),
            "client.helo": self.helo.lower(),
            "client.early_talker": self.early_talker,
            "tls.version": self.tls.version if self.tls else "",
            "tls.cipher": self.tls.cipher if self.tls else "",
        }


class ClientIPv4(IPv4Address):
    """The address of a client, by its four octets. It is looked at in ten places for each message: its text and its
    octets, which the standard library makes anew each time, are made once, and its version is no function's answer."""

    __slots__ = ("_text", "packed")

    version = 4

    def __init__(self, packed: bytes) -> None:
        super().__init__(packed)
        self.packed = packed  # type: ignore[misc]  # a property in the standard library
        self._text = ""

    def __str__(self) -> str:
        if not self._text:
            self._text = super().__str__()
        return self._text

    def __reduce__(self) -> tuple[type, tuple[bytes]]:
        return ClientIPv4, (self.packed,)


def plain_address(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """What a client is known by: an IPv4 client of an IPv6 socket by its IPv4 address (RFC 4291 section 2.5.5.2)."""
    return ip if isinstance(ip, IPv4Address) else ip.ipv4_mapped or ip


NOWHERE = IPv4Address("0.0.0.0")  # noqa: S104  the stated value of an absent address, never bound to

FACTS = (
    Fact("client.ip", FactType.ADDRESS, Stage.CONNECT, "The client's address", NOWHERE),
    Fact(
        "client.role",
        FactType.STRING,
        Stage.CONNECT,
        "Who the client is by its address: a stranger, a relay partner, or one of our own networks",
        "stranger",
        tuple(role.value for role in Role),
    ),
    Fact("client.early_talker", FactType.BOOLEAN, Stage.CONNECT, "The client talked before our banner", False),  # noqa: FBT003
    Fact(
        "client.helo",
        FactType.STRING,
        Stage.HELO,
        "The name given at HELO or EHLO, in lower case",
        "",
        spelling=Spelling.LOWER,
    ),
    Fact("tls.version", FactType.STRING, Stage.MAIL, "TLS version, such as TLSv1.3; empty without TLS", ""),
    Fact("tls.cipher", FactType.STRING, Stage.MAIL, "TLS cipher suite; empty without TLS", ""),
)
