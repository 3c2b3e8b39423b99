"""The gateway behind a balancer and behind another gateway: the client whom they name is judged, counted and noted."""

import asyncio
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.delivery.endpoint import Endpoint, Protocol
from tests.support.balancer import LOCAL, relay, relayed, version_1, version_2
from tests.support.dnsserver import DnsServer
from tests.support.gateway import RunningGateway, dns_process, running_gateway
from tests.support.inside import brought, serving
from tests.support.journeys import LETTER
from tests.support.spamd import free_port
from tests.support.supervised import Supervised, until
from tests.support.wire import Wire

BALANCER = "127.0.0.3"
CLIENT = "198.51.100.9"
ZONE: dict[Any, Any] = {
    ("sender.example", "TXT"): [f"v=spf1 ip4:{CLIENT} -all"],
    ("9.100.51.198.in-addr.arpa", "PTR"): ["mail.sender.example"],
    ("mail.sender.example", "A"): [CLIENT],
    ("9.100.51.198.block.example", "A"): ["127.0.0.2"],
}
LISTED = {"block": {"zone": "block.example"}}


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    zone = f'sender.example. 60 IN TXT "v=spf1 ip4:{CLIENT} -all"\n'
    with dns_process(tmp_path_factory.mktemp("dns"), zone) as address:
        yield address


def behind_a_balancer(tmp_path: Path, dns: str, *, more: str = "", **settings: Any) -> Any:
    root = tmp_path / "gateway"
    route = f'[route.default]\nhosts = ["maildir://{root}/mail"]\n{more}'
    return running_gateway(root, dns=dns, more=route, networks=f'balancers = ["{BALANCER}/32"]', **settings)


def delivered(root: Path) -> bytes:
    [file] = root.glob("mail/**/new/*")
    return file.read_bytes()


async def greeted(wire: Wire) -> Wire:
    assert (await wire.reply()).startswith("220 ")
    assert (await wire.command("EHLO mail.sender.example")).startswith("250")
    return wire


async def leave(*wires: Wire) -> None:
    """Be gone before this loop stands still: a gateway that is told to end would wait for its clients."""
    for wire in wires:
        wire.abort()
    await wires[0].pause()


async def test_client_of_the_header_is_judged_and_noted(tmp_path: Path, dns: str) -> None:
    with behind_a_balancer(tmp_path, dns) as gateway:
        wire = await greeted(await relay(gateway.port, version_2(relayed(CLIENT, 4711)), source=BALANCER))
        assert (await brought(wire))[-1].startswith("250 ")
        await leave(wire)
        record = gateway.wait_for_record()
        assert (record["client_ip"], record["client_port"], record["client_role"]) == (CLIENT, 4711, "stranger")
        assert (record["via"], record["spf"]) == (BALANCER, "pass")
        message = delivered(gateway.root)
        assert f"[{CLIENT}]".encode() in message.partition(b"\r\nFrom:")[0]
        assert BALANCER.encode() not in message


async def test_limit_of_an_address_is_that_of_the_client_over_all_workers(tmp_path: Path, dns: str) -> None:
    limit = "[session]\nmax_connections_per_address = 2\n"
    with behind_a_balancer(tmp_path, dns, more=limit, workers=2) as gateway:
        crowd = [await relay(gateway.port, version_1(f"198.51.100.{host}"), source=BALANCER) for host in (1, 2, 3) * 4]
        told = [(await wire.reply())[:9] for wire in crowd]
        assert [told[host::3].count("220 mx.ex") for host in range(3)] == [2, 2, 2]
        assert told.count("421 4.7.0") == 6
        check = await relay(gateway.port, LOCAL, source=BALANCER)
        assert (await check.reply()).startswith("220 ")
        await leave(check, *crowd)


async def test_header_before_tls_at_the_port_for_it(tmp_path: Path, dns: str) -> None:
    where = f"127.0.0.1:{free_port()}"
    with behind_a_balancer(tmp_path, dns, listen_tls=where) as gateway:
        port = int(where.partition(":")[2])
        wire = await relay(port, version_1(CLIENT), source=BALANCER)
        await wire.upgrade()
        assert (await brought(await greeted(wire)))[-1].startswith("250 ")
        direct = await Wire.connect(port, source="127.0.0.9")
        await direct.upgrade()
        await greeted(direct)
        await leave(wire, direct)
        record = gateway.wait_for_record()
        assert (record["client_ip"], record["via"], record["tls"][:8]) == (CLIENT, BALANCER, "TLSv1.3 ")
        assert b" with ESMTPS id " in delivered(gateway.root)
        assert gateway.records("ready")[0]["listen_tls"] == [where]


async def test_reload_changes_who_is_a_balancer(tmp_path: Path, dns: str) -> None:
    with behind_a_balancer(tmp_path, dns) as gateway:
        text = gateway.config.read_text()
        gateway.config.write_text(text.replace(f'["{BALANCER}/32"]', "[]"))
        await asyncio.to_thread(_reload, gateway)
        wire = await relay(gateway.port, version_1(CLIENT), source=BALANCER)
        assert (await wire.reply()).startswith("220 ")
        assert (await wire.reply()).startswith("500 ")
        await leave(wire)


def _reload(gateway: RunningGateway) -> None:
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: gateway.records("reload"), "the reload")


async def test_dns_lists_are_asked_about_the_client_of_the_header(tmp_path: Path) -> None:
    networks = {"own": ["127.0.0.1/32"], "balancers": ["127.0.0.1/32"]}
    tables = {"networks": networks, "dnslist": LISTED}
    async with DnsServer(ZONE) as dns, serving(tmp_path, dns_at=dns.address, **tables) as inside:
        wire = await greeted(await relay(inside.port, version_1(CLIENT)))
        assert await brought(wire) == (f"550 5.7.1 {CLIENT} is listed by block",)
        await wire.close()
        wire = await greeted(await relay(inside.port, version_1("198.51.100.10")))
        assert (await brought(wire))[0].startswith("250 ")


async def test_one_gateway_behind_another(tmp_path: Path) -> None:
    """The first one speaks for its clients by XCLIENT, so the second one judges them and not the first."""
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.mkdir()
    outer.mkdir()
    ours = {"own": ["127.0.0.1/32"], "balancers": [f"{BALANCER}/32"]}
    trusting = {"own": ["127.0.0.1/32"], "xclient": ["127.0.0.1/32"]}
    async with DnsServer(ZONE) as dns, serving(inner, dns_at=dns.address, networks=trusting) as second:
        hop = Endpoint(Protocol.SMTP, "127.0.0.1", second.port)
        async with serving(outer, dns_at=dns.address, networks=ours, hosts=[hop]) as first:
            for client in (CLIENT, "198.51.100.10"):
                header = version_2(relayed(client, 4711))
                wire = await greeted(await relay(first.port, header, source=BALANCER))
                assert (await brought(wire, letter=LETTER))[-1].startswith("250 ")
                await wire.close()
            assert [record.client_ip for record in second.records] == [CLIENT, "198.51.100.10"]
            assert [record.results["spf"] for record in second.records] == ["pass", "fail"]
            record = second.records[0]
            assert (record.client_port, record.client_role, record.via) == (4711, "stranger", "127.0.0.1")
            assert (record.helo, record.client_name) == ("mail.sender.example", "mail.sender.example")
    messages = [file.read_bytes() for file in inner.glob("mail/**/new/*")]
    received = re.compile(rb"\AReceived: from mail\.sender\.example \(\S+ \[198\.51\.100\.\d+\]\)\s", re.MULTILINE)
    assert len(messages) == 2
    for message in messages:
        trace = message.partition(b"\r\nReceived: ")[2]
        assert received.match(b"Received: " + trace), trace[:200]


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="needs Debian's systemd")
def test_socket_of_systemd_with_the_name_for_tls(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    activate = shutil.which("systemd-socket-activate") or ""
    listen = (f"--listen=127.0.0.1:{port}" for port in ports)
    prefix = (activate, *listen, "--fdname=smtp:smtps", "--setenv=PATH")
    with Supervised(tmp_path, prefix=prefix) as gateway:
        until(lambda: gateway.has_logged("Listening on"), "systemd to listen")
        with socket.create_connection(("127.0.0.1", ports[1]), timeout=20) as first:  # this starts the gateway
            assert first.makefile("r").readline().strip().isdigit()
        assert gateway.ready().port == ports[0]
        assert gateway.has_logged(f"listen_tls=127.0.0.1:{ports[1]}")
