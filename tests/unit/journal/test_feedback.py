"""What was said of messages: which of it counts, and how it is taken back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.journal import feedback
from gateway.journal.feedback import Feedback, Kind, last_words
from tests.support.journal import NOW, Journal, journal_at, record_of


@pytest.fixture(params=["sqlite", "postgresql"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    place = f"sqlite:///{tmp_path}/journal.db"
    if request.param == "postgresql":
        place = str(request.getfixturevalue("postgresql").emptied())
    with journal_at(place) as journal:
        yield journal


def said(verdict: Kind, *, ident: str = "", digest: str = "") -> Feedback:
    return Feedback(began=NOW, verdict=verdict, source="learn", id=ident, digest=digest)


def test_last_word_of_each_message_counts() -> None:
    words = [
        said(Kind.HAM, ident="m1", digest="d1"),
        said(Kind.SPAM, digest="d2"),
        said(Kind.SPAM, ident="m1", digest="d1"),
        said(Kind.HAM, ident="m2", digest="d1"),
        said(Kind.HAM, digest="d2"),
    ]
    assert last_words(words) == [words[2], words[4], words[3]]


def test_ids_are_known_of_which_there_is_a_message(journal: Journal) -> None:
    journal.write(record_of(id="m1"), record_of(id="m2"))
    assert feedback.known(journal.database, ["m1", "other", "", "\0", "' OR 1=1"]) == {"m1"}
    assert feedback.known(journal.database, []) == set()


def test_what_was_said_is_taken_back_by_id_and_by_content(journal: Journal) -> None:
    journal.write(record_of())
    words = [
        said(Kind.SPAM, ident="m1", digest="d1"),
        said(Kind.HAM, ident="m1"),
        said(Kind.HAM, digest="d2"),
        said(Kind.HAM, ident="m3", digest="d3"),
    ]
    feedback.note(journal.database, words)
    feedback.withdraw(journal.database, ids=["", "m1"], digests=["d2", ""])
    assert list(feedback.since(journal.database, 0)) == words[3:]
