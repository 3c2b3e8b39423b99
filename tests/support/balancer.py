"""A balancer's part: PROXY headers as octets, and a client that begins with one."""

from ipaddress import ip_address
from struct import pack

from gateway.smtp.proxyheader import SIGNATURE, End, Relayed
from tests.support.wire import Wire

CLIENT, SERVER = "192.0.2.9", "192.0.2.1"
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
UNKNOWN = b"PROXY UNKNOWN\r\n"


def relayed(client: str = CLIENT, port: int = 40000, server: str = SERVER, server_port: int = 25) -> Relayed:
    return Relayed(End(ip_address(client), port), End(ip_address(server), server_port))


def block(family: int, body: bytes, *, command: int = 0x21) -> bytes:
    """A header of version 2, well-formed or not."""
    return SIGNATURE + pack("!BBH", command, family, len(body)) + body


def version_1(client: str = CLIENT, port: int = 40000) -> bytes:
    return f"PROXY TCP4 {client} {SERVER} {port} 25\r\n".encode()


def version_2(connection: Relayed | None = None, tlvs: bytes = b"") -> bytes:
    """What gateway.smtp.proxyheader reads as this connection."""
    client, server = (connection or relayed()).client, (connection or relayed()).server
    body = client.ip.packed + server.ip.packed + pack("!HH", client.port, server.port)
    return block(0x11 if client.ip.version == 4 else 0x21, body + tlvs)


async def relay(port: int, header: bytes, *, source: str = "", behind: bytes = b"") -> Wire:
    """A client through the balancer at `source`; what it sends `behind` the header is in the same packet."""
    wire = await Wire.connect(port, source=source)
    await wire.send(header + behind)
    return wire
