"""Quarantine: a Maildir of messages that were kept back. Turns a message and its envelope into one durable file, and
back.

It has an owner, a quota and an expiry. What is full defers: a message that cannot be kept stays with its sender.
"""

import errno
import math
import os
import pwd
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from itertools import chain
from pathlib import Path
from threading import Lock

from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field

from gateway.connection import Connection
from gateway.delivery.durable import make_maildir, write_draft
from gateway.delivery.label import MAX_LABEL, Label, parse_line, to_line
from gateway.delivery.outcome import Failure, Outcome, disk_failure, failed
from gateway.envelope import Envelope, Recipient
from gateway.message import CHUNK, Message, Stamped, parse_message
from gateway.policy.verdict import Verdict
from gateway.reply import reply
from gateway.settings import Section
from gateway.system.steadyclock import SteadyClock
from gateway.system.threads import DISK_PATIENCE, on_disk

NAME = "quarantine"
MARK = "x-mailward-quarantine"
RELEASE_FIELD = b"X-Mailward-Quarantine-Release: "
RECOUNT = 60.0  # seconds that a count of the files holds: other processes add and take away
DAY = 86400.0

_name_re = re.compile(
    r"(?P<stored>[0-9]{1,12})\.(?P<id>[A-Za-z0-9_-]{1,64}),S=(?P<size>[0-9]{1,15})(?::2,[A-Za-z]*)?\Z"
)
_not_in_id_re = re.compile(r"[^A-Za-z0-9_-]")


class QuarantineSettings(Section):
    """The table [quarantine]: where quarantined mail is kept."""

    directory: Path | None = None
    """A Maildir for quarantined mail. Without it such mail goes to the next hop, marked with X-Mailward-Quarantine."""

    owner: str = ""
    """The account that the directory must belong to; a message is deferred where it does not. Empty: anyone."""

    max_messages: int = Field(default=10_000, ge=1)
    """Messages in the quarantine; beyond that further ones are deferred."""

    max_size: int = Field(default=1024**3, ge=1)
    """Octets of all messages in the quarantine; beyond that further ones are deferred."""

    expiry: float = Field(default=30.0, gt=0)
    """Days after which a message is removed."""


class Entry(Struct, frozen=True):
    """A message in the quarantine, as the name of its file tells."""

    path: Path
    id: str  # of the message, as in the log
    stored: int  # Unix time
    size: int  # octets of the file


class Kept(Struct, frozen=True):
    """A message in the quarantine, with what it needs to go on."""

    entry: Entry
    label: Label
    stamped: Stamped


class Quarantine:
    """The quarantine of a worker or of the command."""

    def __init__(
        self, settings: QuarantineSettings, disk: Executor, *, clock: Callable[[], float] | None = None
    ) -> None:
        """`clock` gives Unix time; by default one whose jumps make no message old."""
        if settings.directory is None:
            raise ValueError("the configuration names no directory for the quarantine")
        self.directory = settings.directory
        self._settings = settings
        self._disk = disk
        self._clock = clock or SteadyClock()
        self._counting = Lock()
        self._messages = self._octets = 0
        self._counted = -math.inf

    async def store(self, connection: Connection, envelope: Envelope, stamped: Stamped, verdict: Verdict) -> Outcome:
        """Keep a message back. The reply is 250 once it is on the disk, and 452 where the quarantine or the disk is
        full."""
        label = Label(reason=_reason(verdict), rules=verdict.rules, connection=connection, envelope=envelope)
        try:
            name = await on_disk(self._disk, self._store, label, stamped)
        except TimeoutError:
            return failed(Failure.UNKNOWN, next_hop=NAME, detail=f"the disk has not answered for {DISK_PATIENCE:g} s")
        except OSError as error:
            return disk_failure(error, next_hop=NAME)
        told = reply("250 2.0.0", f"Accepted as {envelope.id}")
        return Outcome(reply=told, next_hop=NAME, answer=f"kept in {self.directory}", queue_id=name)

    def entries(self) -> list[Entry]:
        """What is in the quarantine, the oldest first. Files that are not ours are passed over."""
        return sorted(self._in("new", "cur"), key=lambda entry: (entry.stored, entry.id))

    def find(self, identity: str) -> Entry | None:
        """The message of that id, as listed or as in the log. It is compared with those that are there, so that none of
        them can name a path."""
        return next((entry for entry in self.entries() if entry.id == _file_id(identity)), None)

    def purge(self) -> int:
        """Remove what is older than the expiry, and say how many messages that were. What a killed worker has left
        half written goes as well; nobody was told that it was kept."""
        oldest = self._clock() - self._settings.expiry * DAY
        expired = [entry for entry in self.entries() if entry.stored < oldest]
        for entry in (*expired, *(entry for entry in self._in("tmp") if entry.stored < oldest)):
            entry.path.unlink(missing_ok=True)
        return len(expired)

    def keep_for(self, kept: Kept, recipients: tuple[Recipient, ...]) -> None:
        """Keep a message for these recipients only, and for none: remove it. Raises OSError."""
        if recipients:
            label = replace(kept.label, envelope=replace(kept.label.envelope, recipients=recipients))
            path = self._write(label, kept.stamped, kept.entry.stored)
            if path == kept.entry.path:
                return
        kept.entry.path.unlink(missing_ok=True)

    def _in(self, *parts: str) -> Iterator[Entry]:
        paths = chain.from_iterable(_files(self.directory / part) for part in parts)
        return filter(None, map(_entry, paths))

    def _store(self, label: Label, stamped: Stamped) -> str:
        make_maildir(self.directory)
        self._check_owner()
        self._make_room(stamped.size)
        return self._write(label, stamped, int(self._clock())).name

    def _write(self, label: Label, stamped: Stamped, stored: int) -> Path:
        line = to_line(label)
        size = len(line) + stamped.size
        name = f"{stored}.{_file_id(label.envelope.id)},S={size}"
        draft = write_draft(self.directory, name, chain((line,), stamped.chunks()), size=size)
        try:
            draft.publish()
        except BaseException:
            draft.discard()
            raise
        return draft.published

    def _make_room(self, size: int) -> None:
        """Count a message in. Raises OSError (EDQUOT) beyond the quota. Several workers may pass it by what they store
        between two counts."""
        settings = self._settings
        with self._counting:
            if not 0 <= self._clock() - self._counted < RECOUNT:  # a clock that was set back is a reason as well
                self._count()
            if self._messages + 1 > settings.max_messages or self._octets + size > settings.max_size:
                raise OSError(errno.EDQUOT, "the quarantine is full")
            self._messages += 1
            self._octets += size

    def _count(self) -> None:
        self.purge()
        entries = self.entries()
        self._messages = len(entries)
        self._octets = sum(entry.size for entry in entries)
        self._counted = self._clock()

    def _check_owner(self) -> None:
        owner = self._settings.owner
        if not owner:
            return
        try:
            expected = pwd.getpwnam(owner).pw_uid
        except KeyError as error:
            raise PermissionError(errno.EPERM, f"the owner of the quarantine, {owner}, has no account") from error
        if self.directory.stat().st_uid != expected:
            raise PermissionError(errno.EPERM, f"the quarantine does not belong to {owner}")


def read(entry: Entry) -> Kept:
    """Open a message of the quarantine. Raises LabelError, or OSError where it is gone."""
    with entry.path.open("rb") as file:
        line = file.readline(MAX_LABEL)
    label = parse_line(line)
    rest = FileContent(path=entry.path, offset=len(line), size=entry.path.stat().st_size - len(line))
    return Kept(entry=entry, label=label, stamped=Stamped(header=b"", message=Message((), rest, header_size=0)))


def as_released(kept: Kept) -> Stamped:
    """The message as it goes on: the mark by which the next hop would put it away again gives way to one that says that
    somebody released it."""
    content = kept.stamped.message.content
    message = parse_message(content, max_header=content.size, max_fields=content.size)
    others = (field.raw for field in message.fields if field.name != MARK)
    return Stamped(header=b"".join((RELEASE_FIELD, kept.entry.id.encode(), b"\r\n", *others)), message=message)


class FileContent(Struct, frozen=True):
    """What a file holds from an offset on (a gateway.message.Content)."""

    path: Path
    offset: int
    size: int

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(self.offset + start)
            while chunk := file.read(CHUNK):
                yield chunk


def _file_id(identity: str) -> str:
    """The id of a message as it stands in the name of its file."""
    return _not_in_id_re.sub("-", identity)


def _files(directory: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        yield from (Path(entry.path) for entry in entries)


def _entry(path: Path) -> Entry | None:
    match = _name_re.match(path.name)
    if match is None:
        return None
    return Entry(path=path, id=match["id"], stored=int(match["stored"]), size=int(match["size"]))


def _reason(verdict: Verdict) -> str:
    """Why the rules that asked for it did."""
    return "; ".join(hit.why for hit in verdict.hits if hit.action is verdict.action) or verdict.action.value
