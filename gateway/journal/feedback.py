"""Feedback: what people, or directories of known mail, say that a message is. Kept so that rules can be tuned by it."""

import hashlib
from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import delete, insert, or_, select

from gateway.journal.database import Database
from gateway.journal.rows import clean_text
from gateway.journal.schema import feedback, messages

PAGE = 1000  # rows


class Kind(StrEnum):
    HAM = "ham"
    SPAM = "spam"


class Feedback(Struct, frozen=True, kw_only=True):
    """What one message was said to be. It is known by its id or by its content, or by both."""

    began: float  # Unix time at which it was said
    verdict: Kind
    source: str  # who said so, such as "learn"
    id: str = ""  # as in the log
    digest: str = ""  # of the content: see `digest`


def digest(chunks: Iterable[bytes]) -> str:
    """Of a message's octets: SHA-256, in hexadecimal digits."""
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def known(database: Database, ids: Iterable[str]) -> set[str]:
    """Those ids that the journal has a message of; whoever writes a message can name any. Raises JournalError."""
    wanted = select(messages.c.id).where(messages.c.id.in_({clean_text(one) for one in ids} - {""}))
    with database.transaction() as connection:
        return set(connection.execute(wanted).scalars())


def last_said(database: Database, digests: Iterable[str]) -> dict[tuple[str, str], Kind]:
    """The last word on messages with this content, by id and digest. Raises JournalError."""
    wanted = select(feedback.c.id, feedback.c.digest, feedback.c.verdict).where(feedback.c.digest.in_({*digests}))
    with database.transaction() as connection:
        rows = connection.execute(wanted.order_by(feedback.c.number))
        return {(row.id, row.digest): Kind(row.verdict) for row in rows}


def note(database: Database, said: Iterable[Feedback]) -> None:
    """Raises JournalError."""
    rows = [asdict(one) | {"id": clean_text(one.id), "source": clean_text(one.source)} for one in said]
    if rows:
        with database.transaction() as connection:
            connection.execute(insert(feedback), rows)


def withdraw(database: Database, *, ids: Iterable[str], digests: Iterable[str]) -> None:
    """Remove all that was said of messages with these ids or this content. Raises JournalError."""
    of_ids = feedback.c.id.in_({clean_text(one) for one in ids} - {""})
    with database.transaction() as connection:
        connection.execute(delete(feedback).where(or_(of_ids, feedback.c.digest.in_({*digests} - {""}))))


def since(database: Database, moment: float) -> Iterator[Feedback]:
    """What was said at that Unix time or later, in the order in which it was noted. Raises JournalError."""
    last = 0
    wanted = select(feedback).where(feedback.c.began >= moment).order_by(feedback.c.number).limit(PAGE)
    while True:
        with database.transaction() as connection:
            page = list(connection.execute(wanted.where(feedback.c.number > last)))
        for row in page:
            last = row.number
            kind = Kind(row.verdict)
            yield Feedback(began=row.began, verdict=kind, source=row.source, id=row.id, digest=row.digest)
        if len(page) < PAGE:
            return


def last_words(said: Iterable[Feedback]) -> list[Feedback]:
    """Of each message what was said last; people change their minds. A copy with an id of its own is a message of its
    own."""
    latest: dict[str, Feedback] = {}
    for one in said:
        latest[one.id or one.digest] = one
    return list(latest.values())
