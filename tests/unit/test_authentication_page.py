"""docs/authentication.md: its tables are what the checks say. Its From fields go through a whole gateway in
tests/integration/test_authentication.py."""

import re

import pytest

from gateway.author import Form, find_author
from gateway.checks.dkim import DkimCheck, DkimSettings
from gateway.checks.dkim import Status as DkimWord
from gateway.checks.dmarc import Status as DmarcWord
from gateway.checks.iprev import IprevStatus
from gateway.checks.spf import SpfWord
from tests.support.dnstable import TableResolver
from tests.support.documents import DOCS, rows
from tests.support.mailbytes import message_of, subject_of
from tests.support.signing import ed25519_key, handmade

PAGE = "authentication.md"
NOW = 1_700_000_000
LETTER = b"From: ann@example.org\r\nSubject: A letter\r\n\r\nHello.\r\n"
FROM_TABLE = rows(PAGE, "From", "`author.form`", "`author.domain`", "DMARC", "shipped rules", "action")


@pytest.mark.parametrize(
    ("heading", "words"),
    [("`spf.result`", SpfWord), ("word", DkimWord), ("`dmarc.result`", DmarcWord), ("`iprev.result`", IprevStatus)],
)
def test_every_word_has_its_row(heading: str, words: type[SpfWord]) -> None:
    assert sorted(row[0].strip("`") for row in rows(PAGE, heading, "when")) == sorted(words)


@pytest.mark.parametrize(("signed", "expires", "word", "fault"), rows(PAGE, "`t=`", "`x=`", "word", "`dkim.times`"))
async def test_times_have_the_word_of_the_table(signed: str, expires: str, word: str, fault: str) -> None:
    tags = {"t": signed, "x": expires}
    stated = {name: str(NOW + int(offset.removeprefix("now"))) for name, offset in tags.items() if offset}
    resolver = TableResolver({("s1._domainkey.example.org", "TXT"): [ed25519_key().record]})
    check = DkimCheck(DkimSettings(), resolver=resolver, clock=lambda: float(NOW))
    result = await check(subject_of(handmade(LETTER, ed25519_key(), **stated)))
    assert result.facts()["dkim.result"] == word.strip("`")
    assert result.facts()["dkim.times"] == ((fault.strip("`"),) if fault else ())


@pytest.mark.parametrize("row", FROM_TABLE, ids=[row[0].replace("`", "") for row in FROM_TABLE])
def test_from_field_is_read_as_the_table_says(row: tuple[str, ...]) -> None:
    fields = "".join(f"{field}\r\n" for field in re.findall(r"`(From:[^`]*)`", row[0]))
    author = find_author(message_of(f"{fields}To: bob@example.org\r\n\r\n".encode()))
    assert (author.form.value, author.domain) == row[1:3]


def test_every_form_has_a_row() -> None:
    assert {row[1] for row in FROM_TABLE} == set(Form)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)[^)]*\)", (DOCS / PAGE).read_text()))
def test_every_page_that_is_named_is_there(link: str) -> None:
    assert (DOCS / link).is_file()
