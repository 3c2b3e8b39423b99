"""spamd that is dead, slow, half-closed, talks nonsense or dies in mid-reply: a message is delivered and marked as
unscored where nobody is there, and deferred where somebody is, so that a flood is no way round the scoring."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakespamd import Behaviour, FakeSpamd, replying, scored
from tests.support.inside import serving
from tests.support.spamd import free_port

IMPATIENT = {"connect_timeout": 0.3, "attempt_timeout": 0.3, "timeout": 1.0}
DEFERRING = '[[rule]]\nid = "unscored"\nthen = "defer"\nreply = "4.3.2 no scoring at the moment"\n'


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def half_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write_eof()
    await asyncio.Event().wait()


async def die_in_mid_reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.write(scored()[:40])
    await writer.drain()
    writer.transport.abort()


async def told_with(behaviour: Behaviour, directory: Path) -> tuple[str, str]:
    """What the client is told, and what the log says of the scoring."""
    async with FakeSpamd(behaviour) as spamd:
        settings: dict[str, Any] = {"hosts": [{"address": spamd.address}], **IMPATIENT}
        async with serving(directory, spamd=settings) as inside:
            told = (await inside.bring())[-1]
            return told, (await inside.recorded()).results["spam"]


def delivered(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in (directory / "mail").rglob("new/*"))


@pytest.mark.fault("spamd: nobody there")
@pytest.mark.parametrize(("site", "code"), [("", "250 "), (DEFERRING, "451 4.3.2 ")])
async def test_without_spamd_the_site_has_the_choice(site: str, code: str, tmp_path: Path) -> None:
    nobody = {"hosts": [{"address": f"127.0.0.1:{free_port()}"}], **IMPATIENT}
    async with serving(tmp_path, spamd=nobody, site=site) as inside:
        assert (await inside.bring())[-1].startswith(code)
        assert (await inside.recorded()).results["spam"] == "unavailable"
    assert (b"X-Mailward-Unscored: unavailable" in delivered(tmp_path)) is (not site)


@pytest.mark.fault("spamd: there, but slow, half-closed, talking nonsense, or dying in mid-reply")
@pytest.mark.parametrize(
    "behaviour",
    [silence, half_close, replying(b"HTTP/1.1 200 OK\r\n\r\n"), die_in_mid_reply],
    ids=["slow", "half-closed", "nonsense", "dying in mid-reply"],
)
async def test_a_spamd_that_gives_no_score_defers(behaviour: Behaviour, tmp_path: Path) -> None:
    told, found = await told_with(behaviour, tmp_path)
    assert told.startswith("451 4.3.2 ")
    assert found == "busy"
    assert delivered(tmp_path) == b""


async def test_a_spamd_that_is_well_again_is_asked_again(tmp_path: Path) -> None:
    async with FakeSpamd(die_in_mid_reply) as spamd:
        settings = {"hosts": [{"address": spamd.address}], **IMPATIENT, "breaker_failures": 1, "breaker_pause": 0.05}
        async with serving(tmp_path, spamd=settings) as inside:
            assert (await inside.bring())[-1].startswith("451 ")
            spamd.behaviour = replying(scored())
            async with asyncio.timeout(10):
                while not (await inside.bring())[-1].startswith("250 "):
                    await asyncio.sleep(0.02)
    assert b"X-Spam-Flag: NO" in delivered(tmp_path)
