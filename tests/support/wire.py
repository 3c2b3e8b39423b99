"""A raw SMTP client for transcripts: what is sent and what must come back, line by line."""

import asyncio
import socket
import ssl
import struct
from textwrap import dedent
from typing import Self

PATIENCE = 5.0  # seconds to wait for what must come


class Wire:
    """One connection, as raw octets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience: float = PATIENCE) -> None:
        self._reader = reader
        self._writer = writer
        self._patience = patience

    @classmethod
    async def connect(cls, port: int, host: str = "127.0.0.1", *, source: str = "", patience: float = PATIENCE) -> Self:
        """`source` is the client's address, of this host's; `patience` is in seconds."""
        local = (source, 0) if source else None
        return cls(*await asyncio.open_connection(host, port, local_addr=local), patience)

    async def send(self, octets: bytes) -> None:
        self._writer.write(octets)
        await self._writer.drain()

    async def pause(self) -> None:
        """Let the other side, in the same loop, read what was sent."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def trickle(self, octets: bytes) -> None:
        """Send octet by octet, each in a packet and, as far as the loop allows, in a read of its own."""
        for octet in octets:
            await self.send(bytes((octet,)))
            await asyncio.sleep(0)

    async def line(self) -> str:
        """The next line without its CRLF; "" at the end of the connection."""
        async with asyncio.timeout(self._patience):
            return (await self._reader.readline()).decode("ascii").removesuffix("\r\n")

    async def reply(self) -> str:
        """The next reply; the lines of a longer one are joined by line feeds."""
        lines = [await self.line()]
        while lines[-1][3:4] == "-":
            lines.append(await self.line())
        return "\n".join(lines)

    async def rest(self) -> str:
        """All that comes until the other side closes."""
        async with asyncio.timeout(self._patience):
            return (await self._reader.read()).decode("ascii")

    async def octets(self) -> bytes:
        """The same, as it came; a reset is an end too."""
        async with asyncio.timeout(self._patience):
            try:
                return await self._reader.read()
            except ConnectionResetError:
                return b""

    async def command(self, text: str) -> str:
        await self.send(f"{text}\r\n".encode())
        return await self.reply()

    async def transcript(self, script: str) -> None:
        """Play a script: "C: text" is sent as a line, "S: text" is the beginning of the next line that must come, and
        "S: (end)" is the end of the connection. Lines "C:" that follow each other are sent in one packet."""
        pending = b""
        for entry in dedent(script).strip().splitlines():
            side, _, text = entry.partition(":")
            text = text.removeprefix(" ")
            if side == "C":
                pending += f"{text}\r\n".encode()
                continue
            if pending:
                await self.send(pending)
            pending = b""
            line = await self.line()
            expected = "" if text == "(end)" else text
            assert line.startswith(expected) if expected else not line, f"expected {text!r}, got {line!r}"
        if pending:
            await self.send(pending)

    async def start_tls(self) -> str:
        """STARTTLS and the handshake, believing any certificate; the version of TLS."""
        assert (await self.command("STARTTLS")).startswith("220 ")
        return await self.upgrade()

    async def upgrade(self, context: ssl.SSLContext | None = None) -> str:
        """The handshake alone."""
        async with asyncio.timeout(self._patience):
            await self._writer.start_tls(context or any_certificate())
        return str(self._writer.get_extra_info("ssl_object").version())

    def stop_reading(self) -> None:
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    def half_close(self) -> None:
        self._writer.write_eof()

    def abort(self) -> None:
        self._writer.transport.abort()

    def reset(self) -> None:
        """Vanish: the other side gets an RST."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    async def close(self) -> None:
        self._writer.close()


def any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
