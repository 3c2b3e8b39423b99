"""Collecting: takes the octets of one message from the inbox into its spool, in the time that a sender has for it."""

from gateway.cleantext import CleanText, clean_text
from gateway.smtp.chunks import Chunk, ChunkReader
from gateway.smtp.data import DataReader
from gateway.smtp.front import Front
from gateway.smtp.inbox import ALL, Inbox
from gateway.smtp.intake import Fault, Intake
from gateway.smtp.settings import SessionSettings
from gateway.system.threads import on_disk
from gateway.system.watchdog import Watchdog


class Pieces:
    """What comes of one message. A sender who is too slow, in a piece or on the whole, is interrupted."""

    __slots__ = ("_began", "_inbox", "_settings", "_watchdog", "octets")

    def __init__(self, inbox: Inbox, watchdog: Watchdog, settings: SessionSettings) -> None:
        self._inbox = inbox
        self._watchdog = watchdog
        self._settings = settings
        self._began = watchdog.now()
        self.octets = 0  # that have come

    @property
    def deadline(self) -> float:
        """When the next octets must be here, in the loop's time (RFC 5321 section 4.5.3.2.5)."""
        limits = self._settings
        free = self._began + limits.block_timeout
        return min(
            self._watchdog.now() + limits.block_timeout,
            free + self.octets / limits.min_rate,
            self._began + limits.data_timeout,
        )

    async def next(self, limit: int = ALL) -> bytearray:
        """The octets there are, at least one and no more than `limit`. Raises EndOfInput, Interrupted."""
        self._watchdog.until(self.deadline)
        octets = await self._inbox.some(limit)
        self.octets += len(octets)
        return octets

    async def pass_over(self, count: int) -> None:
        """Read octets that nobody takes."""
        while count:
            count -= len(await self.next(count))


class Collection:
    """A message that is being collected. Once there is a fault its octets are read, and kept by nobody."""

    def __init__(self, front: Front, inbox: Inbox, watchdog: Watchdog) -> None:
        self._settings = front.settings
        self._inbox = inbox
        self._disk = front.disk
        self.spool = front.spool()
        self.pieces = Pieces(inbox, watchdog, front.settings)
        self.intake = Intake(
            self.spool.write,
            max_size=self._settings.max_size,
            max_line=self._settings.max_line,
            unclean=self._settings.unclean_text,
        )
        self._chunks: ChunkReader | None = None  # where it comes by BDAT
        self.trouble: OSError | None = None  # behind Fault.NO_ROOM

    async def read_data(self) -> None:
        """Take the octets after DATA to the final dot, or until the sender is hopeless. Raises EndOfInput,
        Interrupted."""
        reader = DataReader(self.intake)
        while True:
            rest = reader.feed(await self.pieces.next())
            if self.spool.is_full:
                await self._make_room()
            if rest is not None or self.intake.is_hopeless:
                break
        if rest:
            self._inbox.give_back(rest)

    async def read_chunk(self, chunk: Chunk) -> None:
        """Take the octets of a chunk. Raises EndOfInput, Interrupted."""
        left = chunk.size
        reader = self._chunks = self._chunks or ChunkReader(self.intake)
        self.intake.expect(left)
        while left:
            octets = await self.pieces.next(left)
            left -= len(octets)
            reader.feed(octets)
            if self.spool.is_full:
                await self._make_room()
        if chunk.is_last:
            reader.end()

    async def clean_text(self) -> CleanText:
        """What goes on in place of a message whose lines are not as they should be."""
        return await clean_text(self.spool, max_line=self._settings.max_line)

    async def _make_room(self) -> None:
        if self.intake.fault is None:
            try:
                await on_disk(self._disk, self.spool.unload)
            except OSError as error:
                self.intake.fault, self.trouble = Fault.NO_ROOM, error
