"""Every row of the table of the last metres: a client brings a message over a real socket, the server behind us does
what the row says, and the client is told what it says."""

import ssl
from pathlib import Path

import pytest

from tests.support.certificates import make_certificate
from tests.support.downstream import Downstream
from tests.support.inside import brought, serving
from tests.support.journeys import LETTER
from tests.support.lastmetres import CLOSING, LATER, NEVER, NOBODY, PAGE, ROWS, SILENT, STRANGER, YES, Act, Row, page

RECIPIENTS = ("alice@example.org", "bob@example.org")
LONG = LETTER + b"A line of a message that does not fit into the buffers of a socket\r\n" * 100_000
NO_RULES = {"shipped": False}  # they would be read anew for every row
IMPATIENCE = {"command_timeout": 0.3, "final_timeout": 0.3}

CASES = [
    pytest.param(row, stage, act, recipients, id=f"{row.at}-{stage}-{act.name}-{recipients}")
    for row in ROWS
    for stage in row.stages
    for act in row.acts
    for recipients in (1, 2)
]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return make_certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1").server_context


@pytest.mark.parametrize(("row", "stage", "act", "recipients"), CASES)
async def test_the_sender_is_told_what_the_table_says(
    row: Row, stage: str, act: Act, recipients: int, tmp_path: Path, certificate: ssl.SSLContext
) -> None:
    tls = certificate if stage in ("STARTTLS", "handshake") else None
    letter = LONG if stage == "content" else LETTER
    server = Downstream(*row.scripts(stage, act, recipients), offers=row.offers, protocol=row.protocol, tls=tls)
    tables = {
        "route": {"retry_dead": 0, **(IMPATIENCE if act is SILENT else {}), **row.route},
        "domain": {"example.org": row.domain},
        "rules": NO_RULES,
    }
    async with server, serving(tmp_path, hosts=[server.endpoint], **tables) as inside:
        if act is NOBODY:
            server.stop()
        wire = await inside.greeted()
        for _ in range(row.messages_before):
            assert (await brought(wire, RECIPIENTS[0]))[-1].startswith(YES)
        told = await brought(wire, *RECIPIENTS[:recipients], letter=letter)
    expected = row.told(act, recipients)
    assert [answer[: len(start)] for answer, start in zip(told, expected, strict=True)] == list(expected)
    arrived = len(server.messages) - row.messages_before
    has_refused = stage == "." and act in (LATER, NEVER, STRANGER, CLOSING)
    assert arrived == (told[-1].startswith(YES) or row.comes_twice or has_refused)


def test_the_page_shows_the_table_as_it_is() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.support.lastmetres"
