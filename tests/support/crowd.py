"""A crowd of clients, each at an address of its own, and what each is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from tests.support.letters import write_letter
from tests.support.wire import Wire

PER_NETWORK = 200


def stranger(number: int) -> str:
    """An address of this host that no other stranger has; two hundred share a /24."""
    return f"127.1.{number // PER_NETWORK}.{number % PER_NETWORK + 1}"


class Crowd:
    """Clients of one port that stay until the crowd is left."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.guests: list[Wire] = []  # those who were let in

    async def knock(self, source: str) -> str:
        """Come from this address; what it is told at first."""
        wire = await Wire.connect(self._port, source=source)
        told = await wire.reply()
        if told.startswith("220"):
            self.guests.append(wire)
        else:
            await wire.close()
        return told

    async def fill(self, most: int, *, first: int = 0) -> None:
        """Come until so many are here, for as long as that takes; nobody else comes meanwhile."""
        async with asyncio.timeout(30):
            while len(self.guests) < most:
                await asyncio.gather(*(self.knock(stranger(first + n)) for n in range(most - len(self.guests))))

    async def leave(self, guest: Wire) -> None:
        self.guests.remove(guest)
        await guest.close()


@asynccontextmanager
async def crowd_at(port: int) -> AsyncIterator[Crowd]:
    crowd = Crowd(port)
    try:
        yield crowd
    finally:
        for guest in crowd.guests:
            await guest.close()


async def bring(wire: Wire, name: str, random: Random) -> str:
    """Bring the letter of that name, as a sender that pipelines; the first refusal, or the answer to the message."""
    await wire.send(b"EHLO mail.sender.example\r\n")
    await wire.reply()
    await wire.send(b"MAIL FROM:<ann@sender.example>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n")
    answers = [await wire.reply() for _ in range(3)]
    refusal = next((answer for answer in answers if answer[0] not in "23"), None)
    if refusal is not None:
        return refusal
    return await wire.command(write_letter(name, random).replace(b"\r\n.", b"\r\n..").decode() + ".")


def held_by(pid: int, port: int) -> int:
    """Connections at this port whose server is that process."""
    entries = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {entry[9] for entry in entries if entry[1].endswith(f":{port:04X}") and entry[3] == "01"}
    held = 0
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held += fd.readlink().name.strip("socket:[]") in inodes
        except OSError:  # it was closed meanwhile
            continue
    return held
