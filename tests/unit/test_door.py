"""Who is at the door, by the address that the kernel tells."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from gateway.connection import Role
from gateway.door import SmtpDoor
from gateway.smtp.caller import Caller
from tests.support.front import listening


def caller(door: SmtpDoor, *peer: str | int) -> Caller:
    caller = door.caller(peer)
    assert caller is not None
    return caller


async def test_client_that_comes_again_is_known_whatever_its_port() -> None:
    asked = list[str]()

    def role_of(ip: IPv4Address | IPv6Address) -> Role:
        asked.append(str(ip))
        return Role.STRANGER

    async with listening(roles=role_of) as gateway:
        door = SmtpDoor(gateway.front)
        callers = [caller(door, "192.0.2.1", 1), caller(door, "192.0.2.1", 2), caller(door, "2001:db8::1", 3, 0, 0)]
    assert [(str(one.ip), one.port) for one in callers] == [("192.0.2.1", 1), ("192.0.2.1", 2), ("2001:db8::1", 3)]
    assert asked == ["192.0.2.1", "2001:db8::1"]


async def test_ipv4_client_of_an_ipv6_socket_is_known_by_its_ipv4_address() -> None:
    async with listening() as gateway:
        door = SmtpDoor(gateway.front)
        assert caller(door, "::ffff:192.0.2.1", 5, 0, 0).ip == ip_address("192.0.2.1")
        assert door.caller("") is None  # of a Unix socket
