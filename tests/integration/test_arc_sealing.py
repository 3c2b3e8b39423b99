"""A gateway that seals: what its next hop gets is verified by dkimpy, with the key that DNS has."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import dkim
import dns.resolver
import pytest

from tests.support.downstream import Downstream
from tests.support.gateway import dns_process, running_gateway
from tests.support.mailbytes import message_of
from tests.support.sealing import pem, sealed
from tests.support.signing import rsa_key

LETTER = (
    b"From: Ann <ann@sender.example>\r\nTo: list@lists.example\r\nSubject: The minutes\r\n"
    b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n\r\n"
    b"Here are the minutes.  \r\n.a line that begins with a dot\r\n\r\nRegards\r\n\r\n\r\n"
)
LARGE = LETTER + b"A line that is repeated until nobody reads on.\r\n" * 60_000  # on disk, and hashed with pauses


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    key = rsa_key().record.decode()
    quoted = " ".join(f'"{key[start : start + 200]}"' for start in range(0, len(key), 200))
    text = f"""
_dmarc.sender.example. 60 IN TXT "v=DMARC1; p=reject"
s1._domainkey.mx.example.org. 60 IN TXT {quoted}
s1._domainkey.lists.example. 60 IN TXT {quoted}
9.0.0.127.in-addr.arpa. 60 IN PTR mail.lists.example.
mail.lists.example. 60 IN A 127.0.0.9
"""
    with dns_process(tmp_path_factory.mktemp("dns"), text) as address:
        yield address


def configuration(directory: Path, next_hop: str) -> str:
    key = directory / "arc.pem"
    key.write_bytes(pem(rsa_key()))
    key.chmod(0o600)
    return f"""
[route.default]
hosts = ["{next_hop}"]
[arc]
trusted_sealers = ["lists.example"]
[arc.seal]
domain = "mx.example.org"
selector = "s1"
key = "{key}"
"""


def verified(message: bytes, server: str) -> tuple[bytes | None, list[tuple[int, bytes, bool, bool]]]:
    """dkimpy's verdict on the chain, and on each set: its instance, its cv=, whether its signatures verify."""
    host, _, port = server.rpartition(":")
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [host], int(port)

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        (record,) = resolver.resolve(name.decode(), "TXT", lifetime=timeout)
        return b"".join(record.strings)

    verdict, sets, _ = dkim.arc_verify(message, dnsfunc=look_up)
    return verdict, [(one["instance"], one["cv"], one["ams-valid"], one["as-valid"]) for one in sets]


async def test_what_goes_on_is_sealed_and_others_verify_it(tmp_path: Path, zone: str) -> None:
    forwarded = sealed(LETTER, rsa_key(), found="dmarc=pass header.from=sender.example")
    async with Downstream() as server:
        with running_gateway(tmp_path, dns=zone, more=configuration(tmp_path, str(server.endpoint))) as gateway:
            for message in (LETTER, forwarded, LARGE):
                answer = await asyncio.to_thread(gateway.send, message, sender="bounces@lists.example")
                assert answer.code == 250, answer
            records = [await asyncio.to_thread(gateway.wait_for_record, count) for count in (1, 2, 3)]
    plain, chained, large = server.messages
    assert [message.endswith(sent) for message, sent in zip(server.messages, (LETTER, forwarded, LARGE), strict=True)]
    assert verified(plain, zone) == (b"pass", [(1, b"none", True, True)])
    assert verified(chained, zone) == (b"pass", [(2, b"pass", True, True), (1, b"none", True, True)])
    assert verified(large, zone) == (b"pass", [(1, b"none", True, True)])
    assert message_of(plain).fields[0].name == "arc-seal"
    assert [record.get("dmarc_override") for record in records] == ["local_policy", "trusted_forwarder", "local_policy"]


async def test_what_our_own_networks_bring_goes_on_without_a_seal(tmp_path: Path, zone: str) -> None:
    async with Downstream() as server:
        with running_gateway(tmp_path, dns=zone, more=configuration(tmp_path, str(server.endpoint))) as gateway:
            answer = await asyncio.to_thread(gateway.send, LETTER, sender="bounces@lists.example", source="127.0.0.1")
            assert answer.code == 250, answer
    assert b"ARC-" not in server.messages[0]
