"""What an attacker behind or beside a balancer or a mail proxy may try: be believed, be somebody else, break a line."""

import asyncio
import re
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.smtp.caller import Proxies
from gateway.smtp.proxyheader import MAX_HEADER, MAX_LINE, SIGNATURE, Flaw, length_of, parse
from tests.support.balancer import LOCAL, UNKNOWN, block, relay, version_1, version_2
from tests.support.effort import growth, lines_run
from tests.support.front import listening
from tests.support.inside import brought, serving
from tests.support.wire import Wire

HERE = (ip_network("127.0.0.1/32"),)
BEGINNINGS = (b"PROXY ", b"PROXY TCP4 ", b"PROXY UNKNOWN ", SIGNATURE, SIGNATURE + b"\x21\x11", version_1()[:-2])


@given(st.sampled_from(BEGINNINGS), st.binary(max_size=80))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_octets_but_a_header_get_a_banner_from_a_balancers_address(beginning: bytes, octets: bytes) -> None:
    sent = beginning + octets
    length = length_of(sent)
    is_header = isinstance(length, int) and length <= len(sent) and not isinstance(parse(sent[:length]), Flaw)

    async def play() -> bytes:
        async with listening(proxies=Proxies(balancers=HERE)) as gateway:
            wire = await relay(gateway.port, sent)
            wire.half_close()
            return await wire.octets()

    assert asyncio.run(play()).startswith(b"220 ") is is_header


@pytest.mark.parametrize("header", [version_1(), version_2(), UNKNOWN, LOCAL])
@pytest.mark.parametrize("before", [b"\r\n", b" ", b"\0", b"EHLO x\r\n", b"\xef\xbb\xbf"])
async def test_header_behind_anything_else_is_none(before: bytes, header: bytes) -> None:
    async with listening(proxies=Proxies(balancers=HERE)) as gateway:
        wire = await relay(gateway.port, before + header + b"EHLO client.example\r\n")
        assert await wire.octets() == b""
        assert gateway.told.steps == []


@pytest.mark.parametrize("header", [version_1("127.0.0.1"), version_2(), UNKNOWN, LOCAL, version_1() + version_2()])
async def test_header_of_a_stranger_changes_nothing(header: bytes) -> None:
    async with listening(proxies=Proxies(balancers=HERE)) as gateway:
        wire = await relay(gateway.port, header + b"\r\nEHLO client.example\r\n", source="127.0.0.2")
        assert (await wire.reply()).startswith("220 ")
        while (answer := await wire.reply()).startswith("500 "):
            pass
        assert answer.startswith("250")
        (connection,) = gateway.told.connections
        assert (str(connection.ip), connection.via) == ("127.0.0.2", None)


async def test_xclient_after_anything_a_stranger_may_say_first() -> None:
    said = (
        "XCLIENT ADDR=127.0.0.1",
        "EHLO [127.0.0.1]",
        "XCLIENT ADDR=127.0.0.1 NAME=localhost HELO=localhost",
        "PROXY TCP4 127.0.0.1 127.0.0.1 1 25",
        "XFORWARD ADDR=127.0.0.1",
        "xclient addr=127.0.0.1",
        "MAIL FROM:<>",
        "XCLIENT ADDR=127.0.0.1",
    )
    async with listening(proxies=Proxies(xclient=HERE)) as gateway:
        wire = await Wire.connect(gateway.port, source="127.0.0.2")
        await wire.reply()
        for command in said:
            answer = await wire.command(command)
            assert answer.startswith("550 5.7.0 ") is ("xclient" in command.lower())
        assert {str(connection.ip) for connection in gateway.told.all("connect")} == {"127.0.0.2"}
        assert {str(connection.ip) for connection in gateway.told.all("helo")} == {"127.0.0.2"}


BREAKOUTS = ("a+0D+0AX-Forged:+20yes", "a+0AQUIT", "a+00b", "a+1B[31m", "a+20b", "a+E2+80+A8b", "a+7Fb")
PRINTABLE = ("a);by=evil(", '"a', "a\\", "<a>", "a;id=1", "a%0d%0a", "{author.domain}", "[UNAVAILABLE]", "a,b=c")


@pytest.mark.parametrize("helo", BREAKOUTS)
@pytest.mark.parametrize("attribute", ["HELO", "NAME"])
async def test_value_that_would_break_a_line_is_refused(attribute: str, helo: str) -> None:
    async with listening(proxies=Proxies(xclient=HERE)) as gateway:
        wire = await gateway.greeted()
        answer = await wire.command(f"XCLIENT ADDR=192.0.2.9 {attribute}={helo}")
        assert answer == "501 5.5.4 Syntax: XCLIENT attribute=value...; what follows would be taken for your own"
        assert len(gateway.told.connections) == 1


async def test_name_of_a_client_breaks_out_of_nothing(tmp_path: Path) -> None:
    """Nor out of the Received field: what may stand there is less than what a name may have."""
    networks = {"own": [], "xclient": ["127.0.0.1/32"]}
    async with serving(tmp_path, networks=networks) as inside:
        for helo in PRINTABLE:
            wire = await inside.greeted()
            told = helo.replace("=", "+3D")
            assert (await wire.command(f"XCLIENT ADDR=192.0.2.9 HELO={told}")).startswith("220 ")
            assert (await wire.command("EHLO proxy.example")).startswith("250")
            assert (await brought(wire))[-1].startswith("250 ")
            await wire.close()
        assert [record.helo for record in inside.records] == list(PRINTABLE)
    messages = [file.read_bytes() for file in tmp_path.glob("mail/**/new/*")]
    assert len(messages) == len(PRINTABLE)
    for message in messages:
        received = message.partition(b"Received: from ")[2].partition(b"\r\n")[0]
        name, _, rest = received.partition(b" ")
        assert re.fullmatch(rb"[A-Za-z0-9?.:_\[\]-]+", name)
        assert rest.startswith(b"(unknown [192.0.2.9])")


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN ".ljust(MAX_LINE), block(0x11, bytes(MAX_HEADER - 16))])
def test_header_that_drips_costs_what_its_octets_cost(header: bytes) -> None:
    def dripping(size: int) -> int:
        return lines_run(lambda: [length_of(header[:end]) for end in range(size)])

    assert growth(dripping, len(header) // 4) < 4
