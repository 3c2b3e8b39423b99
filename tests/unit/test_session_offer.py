"""What EHLO offers, and that it is true: DSN (RFC 3461), REQUIRETLS (RFC 8689), LIMITS (RFC 9422)."""

from pathlib import Path

import pytest

from gateway.connection import Role
from gateway.smtp.offer import Extension, Limits
from gateway.system.tls import ServerTls, TlsSettings, server_tls
from tests.support.front import Gateway, listening
from tests.support.wire import Wire

ALL = frozenset({"DSN", "REQUIRETLS", "PIPELINING", "XFORWARD"})


@pytest.fixture
def tls(tmp_path: Path) -> ServerTls:
    return server_tls(TlsSettings(), hostname="mx.example.net", state=tmp_path)


async def offered(wire: Wire) -> dict[str, str]:
    """The keywords of the answer to EHLO, with what follows each."""
    _, *lines = (await wire.command("EHLO client.example")).split("\n")
    return {line[4:].partition(" ")[0]: line[4:].partition(" ")[2] for line in lines}


async def connected(gateway: Gateway) -> Wire:
    wire = await gateway.wire()
    await wire.reply()
    return wire


async def test_what_is_always_offered() -> None:
    async with listening() as gateway:
        assert await offered(await connected(gateway)) == {
            "8BITMIME": "",
            "CHUNKING": "",
            "ENHANCEDSTATUSCODES": "",
            "HELP": "",
            "LIMITS": "MAILMAX=1000 RCPTMAX=100",
            "PIPELINING": "",
            "SIZE": "52428800",
            "SMTPUTF8": "",
        }


async def test_dsn_is_offered_where_every_next_hop_has_it() -> None:
    async with listening(carried=ALL) as gateway:
        wire = await connected(gateway)
        assert "DSN" in await offered(wire)
        assert (await wire.command("MAIL FROM:<a@example.org> RET=FULL ENVID=1")).startswith("250 ")
        assert (await wire.command("RCPT TO:<b@example.net> NOTIFY=NEVER")).startswith("250 ")
        assert gateway.told.all("mail")[0].parameters == ("RET=FULL", "ENVID=1")
        assert gateway.told.all("rcpt")[0].parameters == ("NOTIFY=NEVER",)


async def test_dsn_is_not_taken_where_it_is_not_offered() -> None:
    async with listening() as gateway:
        wire = await connected(gateway)
        assert "DSN" not in await offered(wire)
        assert (await wire.command("MAIL FROM:<a@example.org> RET=FULL")).startswith("555 5.5.4")
        assert (await wire.command("MAIL FROM:<a@example.org>")).startswith("250 ")
        assert (await wire.command("RCPT TO:<b@example.net> NOTIFY=NEVER")).startswith("555 5.5.4")


async def test_offer_follows_the_next_hops_and_a_client_may_use_what_it_was_offered() -> None:
    carried = {"DSN"}
    async with listening(carried=carried) as gateway:
        early = await connected(gateway)
        assert "DSN" in await offered(early)
        carried.clear()
        late = await connected(gateway)
        assert "DSN" not in await offered(late)
        assert (await early.command("MAIL FROM:<a@example.org> RET=FULL")).startswith("250 ")
        assert (await late.command("MAIL FROM:<a@example.org> RET=FULL")).startswith("555 ")


async def test_requiretls_is_offered_over_tls_alone(tls: ServerTls) -> None:
    async with listening(carried=ALL, tls=tls) as gateway:
        wire = await connected(gateway)
        assert {"STARTTLS", "DSN"} <= (await offered(wire)).keys()
        assert "REQUIRETLS" not in await offered(wire)
        assert (await wire.command("MAIL FROM:<a@example.org> REQUIRETLS")).startswith("555 5.5.4")
        await wire.start_tls()
        assert "REQUIRETLS" in await offered(wire)
        assert (await wire.command("MAIL FROM:<a@example.org> REQUIRETLS=1")).startswith("501 5.5.4")
        assert (await wire.command("MAIL FROM:<a@example.org> REQUIRETLS")).startswith("250 ")
        assert gateway.told.all("mail")[0].requiretls


async def test_requiretls_is_not_offered_where_a_next_hop_lacks_it(tls: ServerTls) -> None:
    async with listening(carried={"DSN"}, tls=tls) as gateway:
        wire = await connected(gateway)
        await wire.start_tls()
        assert "REQUIRETLS" not in await offered(wire)
        assert (await wire.command("MAIL FROM:<a@example.org> REQUIRETLS")).startswith("555 5.5.4")


@pytest.mark.parametrize("extension", Extension)
async def test_extensions_can_be_withheld(extension: Extension, tls: ServerTls) -> None:
    async with listening(carried=ALL, withhold=(extension,), tls=tls) as gateway:
        wire = await connected(gateway)
        await wire.start_tls()
        assert frozenset(Extension) - (await offered(wire)).keys() == {extension}


async def test_after_helo_nothing_is_offered() -> None:
    async with listening(carried=ALL) as gateway:
        wire = await connected(gateway)
        assert await wire.command("HELO client.example") == "250 mx.example.net"
        for parameter in ("SIZE=1", "RET=FULL", "SMTPUTF8", "BODY=8BITMIME"):
            assert (await wire.command(f"MAIL FROM:<> {parameter}")).startswith("555 5.5.4")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"recipients": 100}, "RCPTMAX=100"),
        ({"recipients": 1, "transactions": 5}, "MAILMAX=5 RCPTMAX=1"),
        ({"recipients": 100, "transactions": 5, "domains": 1}, "MAILMAX=5 RCPTMAX=100 RCPTDOMAINMAX=1"),
    ],
)
def test_words_of_limits(limits: dict[str, int], words: str) -> None:
    assert str(Limits(max_size=1000, **limits)) == words


async def test_limits_are_what_happens() -> None:
    async with listening(max_messages=3, max_recipients=100, domains=1) as gateway:
        wire = await connected(gateway)
        named = dict(word.split("=") for word in (await offered(wire))["LIMITS"].split())
        assert named == {"MAILMAX": "3", "RCPTMAX": "100", "RCPTDOMAINMAX": "1"}
        for _ in range(int(named["MAILMAX"])):
            assert (await wire.command("MAIL FROM:<>")).startswith("250 ")
            answers = [await wire.command("RCPT TO:<b@example.net>") for _ in range(int(named["RCPTMAX"]) + 1)]
            assert [answer[:9] for answer in answers[-2:]] == ["250 2.1.5", "452 4.5.3"]
            assert (await wire.command("RSET")).startswith("250 ")
        assert (await wire.command("MAIL FROM:<>")).startswith("421 4.7.0 ")


@pytest.mark.parametrize("role", [Role.RELAY, Role.INTERNAL])
async def test_limits_that_hold_for_strangers_are_told_to_nobody_else(role: Role) -> None:
    async with listening(max_messages=3, roles=lambda _: role) as gateway:
        assert (await offered(await connected(gateway)))["LIMITS"] == "RCPTMAX=100"
