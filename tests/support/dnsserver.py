"""A DNS server on loopback that answers out of a table or a zone file, over UDP and TCP, on a port the kernel chose.

async with DnsServer({("example.org", "TXT"): [b"v=spf1 -all"]}) as server: ... server.address
python -m tests.support.dnsserver --port 0 ZONEFILE [--fault NAME=servfail]   (prints its ADDRESS:PORT, then serves)
"""

import argparse
import asyncio
import contextlib
import errno
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone
from dns.rdtypes.ANY.TXT import TXT

from gateway.system.dns import Status
from tests.support.dnstable import TTL, Found, Question, Table, Zone

HOST = "127.0.0.1"
RCODES = {Status.NXDOMAIN: dns.rcode.NXDOMAIN, Status.SERVFAIL: dns.rcode.SERVFAIL}
SOA = f"ns.invalid. hostmaster.invalid. 1 3600 600 86400 {TTL}"
PORT_TRIES = 20  # attempts to find a port that is free for both UDP and TCP


class DnsServer:
    """Serves a table. Status.TIMEOUT in it is silence. `truncated` names answer over UDP with the TC bit alone;
    `delays` are seconds by name; `ttl` is that of every record. `asked` lists (name, type, "udp" or "tcp")."""

    def __init__(
        self,
        table: Table,
        *,
        truncated: Sequence[str] = (),
        delays: Mapping[str, float] | None = None,
        ttl: int = TTL,
        port: int = 0,
    ) -> None:
        self._zone = Zone(table)
        self._truncated = frozenset(truncated)
        self._delays = delays or {}
        self._ttl = ttl
        self._port = port
        self._pending: set[asyncio.Task[None]] = set()
        self.asked: list[tuple[str, str, str]] = []

    @property
    def address(self) -> str:
        return f"{HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        for _ in range(PORT_TRIES):
            if await self._listen():
                return self
        raise OSError(errno.EADDRINUSE, "no port is free for both UDP and TCP")

    async def __aexit__(self, *_: object) -> None:
        for task in self._pending:
            task.cancel()
        self._udp.close()
        self._tcp.close()
        await asyncio.gather(*self._pending, return_exceptions=True)

    async def answer(self, wire: bytes, transport: str) -> bytes | None:
        """The reply to one query, or None for silence."""
        query = dns.message.from_wire(wire)
        name, rrtype = _unescaped(query.question[0].name), dns.rdatatype.to_text(query.question[0].rdtype)
        self.asked.append((name, rrtype, transport))
        if (delay := self._delays.get(name)) is not None:
            await asyncio.sleep(delay)
        found = self._zone.find(name, rrtype)
        if found.status is Status.TIMEOUT:
            return None
        reply = self._reply(query, found, (name, rrtype))
        if transport == "tcp":
            return reply.to_wire(max_size=65535)
        if name in self._truncated:
            reply.answer, reply.flags = [], reply.flags | dns.flags.TC
        return _within(reply, query.payload or 512)

    def _reply(self, query: dns.message.Message, found: Found, question: Question) -> dns.message.Message:
        reply = dns.message.make_response(query, recursion_available=True)
        reply.set_rcode(RCODES.get(found.status, dns.rcode.NOERROR))
        owner = query.question[0].name
        for _, target in found.aliases:
            reply.answer.append(dns.rrset.from_rdata(owner, self._ttl, _rdata("CNAME", target)))
            owner = _name(target)
        if found.status is Status.OK:
            records = [_rdata(question[1], record) for record in found.records]
            reply.answer.append(dns.rrset.from_rdata_list(owner, self._ttl, records))
        elif found.status is not Status.SERVFAIL:
            reply.authority.append(dns.rrset.from_text(dns.name.root, self._ttl, "IN", "SOA", SOA))
        return reply

    async def _listen(self) -> bool:
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=(HOST, self._port))
        port = self._udp.get_extra_info("sockname")[1]
        try:
            self._tcp = await asyncio.start_server(self._serve_tcp, HOST, port)
        except OSError:
            self._udp.close()
            return False
        self._port = port
        return True

    def _serve_udp(self, transport: asyncio.DatagramTransport, wire: bytes, client: Any) -> None:
        async def serve() -> None:
            if (reply := await self.answer(wire, "udp")) is not None:
                transport.sendto(reply, client)

        task = asyncio.get_running_loop().create_task(serve())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                if (reply := await self.answer(await reader.readexactly(length), "tcp")) is not None:
                    writer.write(struct.pack("!H", len(reply)) + reply)
                    await writer.drain()
        writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._server._serve_udp(self._transport, data, addr)


def read_zone(text: str) -> dict[Question, list[Any]]:
    """A table out of a zone file (RFC 1035 section 5), whose names end with a dot or follow an $ORIGIN."""
    zone = dns.zone.from_text(text, origin=".", relativize=False, check_origin=False)
    table: dict[Question, list[Any]] = {}
    for name, _, rdata in zone.iterate_rdatas():
        rrtype = dns.rdatatype.to_text(rdata.rdtype)
        if rrtype in _VALUES:
            table.setdefault((_unescaped(name), rrtype), []).append(_VALUES[rrtype](rdata))
    return table


_VALUES: dict[str, Any] = {
    "A": lambda rdata: rdata.address,
    "AAAA": lambda rdata: rdata.address,
    "CNAME": lambda rdata: _unescaped(rdata.target),
    "PTR": lambda rdata: _unescaped(rdata.target),
    "MX": lambda rdata: (rdata.preference, _unescaped(rdata.exchange)),
    "TXT": lambda rdata: b"".join(rdata.strings),
}


def _rdata(rrtype: str, record: Any) -> dns.rdata.Rdata:
    if rrtype == "TXT":
        pieces = [record[start : start + 255] for start in range(0, len(record), 255)] or [b""]
        return TXT(dns.rdataclass.IN, dns.rdatatype.TXT, pieces)
    if rrtype == "MX":
        return dns.rdata.from_text("IN", "MX", f"{record[0]} {_name(record[1]).to_text()}")
    text = _name(record).to_text() if rrtype in ("CNAME", "PTR") else record
    return dns.rdata.from_text("IN", rrtype, text)


def _name(text: str) -> dns.name.Name:
    labels = [label.encode("latin-1") for label in text.removesuffix(".").split(".")]
    return dns.name.Name([*labels, b""] if text not in ("", ".") else [b""])


def _unescaped(name: dns.name.Name) -> str:
    return b".".join(name.labels[:-1]).decode("latin-1").lower()


def _within(reply: dns.message.Message, limit: int) -> bytes:
    wire = reply.to_wire(max_size=65535)
    if len(wire) <= limit:
        return wire
    reply.answer, reply.flags = [], reply.flags | dns.flags.TC
    return reply.to_wire()


async def _serve(table: Table, port: int) -> None:
    async with DnsServer(table, port=port) as server:
        print(server.address, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zone", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fault", action="append", default=[], metavar="NAME=servfail|timeout", help="for every type")
    arguments = parser.parse_args()
    table: dict[Question, Any] = dict(read_zone(arguments.zone.read_text()))
    for fault in arguments.fault:
        name, _, status = fault.partition("=")
        table |= {(name, rrtype): Status(status) for rrtype in _VALUES if rrtype != "CNAME"}
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(table, arguments.port))


if __name__ == "__main__":
    main()
