"""A load of letters on a gateway: clients bring them one after another, retry nothing, and note what they are told.

load = Load(port, letters=500, random=Random(7))
fates = await load.run()
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from tests.support.letters import write_letter

CLIENTS = 16
PER_CONNECTION = 20  # letters, before a client connects anew
PATIENCE = 90.0  # seconds to wait for an answer or a connection; workers that are killed often come back slowly
KNOCK = 0.05  # seconds between two attempts to connect where nobody listens
SULK = 0.5  # seconds that a client leaves a gateway alone that has refused a letter, so that a short outage costs few


@dataclass
class Fates:
    """What became of each letter, in the eyes of its client."""

    accepted: set[str] = field(default_factory=set)  # answered 250 after the final dot
    refused: dict[str, str] = field(default_factory=dict)  # answered otherwise; the reply
    unanswered: set[str] = field(default_factory=set)  # the final dot was sent, and no answer came
    unsent: set[str] = field(default_factory=set)  # recipients were accepted, and the connection ended before the dot
    not_begun: set[str] = field(default_factory=set)  # nobody had listened any more

    def __str__(self) -> str:
        counts = {name: len(letters) for name, letters in vars(self).items()}
        return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())


class _Gone(Exception):
    """The connection has ended."""


class Load:
    """`letters` letters, named PREFIX-0, PREFIX-1, ...; `begun` says how many have been begun."""

    def __init__(self, port: int, *, letters: int, random: Random, prefix: str = "l", clients: int = CLIENTS) -> None:
        self._port = port
        self._random = random
        self._clients = clients
        self._is_stopped = False
        self._names = self._all_names(prefix, letters)
        self.fates = Fates()
        self.begun = 0
        self.is_listened_to = True  # as far as somebody is expected to listen again

    async def run(self) -> Fates:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._clients):
                tasks.create_task(self._bring_all())
        return self.fates

    def stop(self) -> None:
        """Begin no further letter."""
        self._is_stopped = True

    def _all_names(self, prefix: str, letters: int) -> Iterator[str]:
        for number in range(letters):
            if self._is_stopped:
                return
            yield f"{prefix}-{number}"

    async def _bring_all(self) -> None:
        client: _Client | None = None
        for name in self._names:
            self.begun += 1
            letter = write_letter(name, self._random)
            client = await self._begun(client)
            if client is None:
                self.fates.not_begun.add(name)
            elif not await self._bring(client, name, letter):
                client.close()
                client = None
        if client is not None:
            client.close()

    async def _begun(self, client: "_Client | None") -> "_Client | None":
        """A client that has said MAIL, RCPT and DATA in one packet and whose sender was accepted: another one where the
        connection ended between two letters, and none where nobody listens any more."""
        while client is None or client.brought >= PER_CONNECTION or not await client.begins():
            if client is not None:
                client.close()
            client = await self._connected()
            if client is None:
                return None
        return client

    async def _connected(self) -> "_Client | None":
        async with asyncio.timeout(PATIENCE):
            while self.is_listened_to:
                with contextlib.suppress(_Gone, OSError):
                    return await _Client.connect(self._port)
                await asyncio.sleep(KNOCK)
        return None

    async def _bring(self, client: "_Client", name: str, letter: bytes) -> bool:
        """The rest of a transaction. False where the connection is of no more use."""
        lost = self.fates.unsent
        try:
            recipient, data = await client.reply(), await client.reply()
            if not recipient.startswith("250"):
                self.fates.refused[name] = recipient
                await asyncio.sleep(SULK)
                return await client.leaves()
            assert data.startswith(("354", "421")), data
            client.send(letter.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            lost = self.fates.unanswered
            answer = await client.reply() if data.startswith("354") else data
        except _Gone:
            lost.add(name)
            return False
        client.brought += 1
        if answer.startswith("250"):
            self.fates.accepted.add(name)
        else:
            self.fates.refused[name] = answer
        return not answer.startswith("421")


class _Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.brought = 0

    @classmethod
    async def connect(cls, port: int) -> "_Client":
        """Raises OSError, _Gone."""
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        try:
            if not (await client.reply()).startswith("220"):
                raise _Gone
            client.send(b"EHLO mail.sender.example\r\n")
            await client.reply()
        except BaseException:
            client.close()
            raise
        return client

    async def begins(self) -> bool:
        self.send(b"MAIL FROM:<ann@sender.example>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n")
        try:
            answer = await self.reply()
        except _Gone:
            return False
        assert answer.startswith(("250", "421")), answer
        return answer.startswith("250")

    async def leaves(self) -> bool:
        """Give up a transaction; False where the connection is of no more use."""
        self.send(b"RSET\r\n")
        return (await self.reply()).startswith("250")

    def send(self, octets: bytes) -> None:
        self._writer.write(octets)

    async def reply(self) -> str:
        """The last line of the next reply. Raises _Gone."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    line = await self._reader.readline()
            except OSError as error:
                raise _Gone from error
            if not line.endswith(b"\r\n"):
                raise _Gone
            if line[3:4] != b"-":
                return line.decode().removesuffix("\r\n")

    def close(self) -> None:
        self._writer.transport.abort()
