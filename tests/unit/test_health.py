"""The doctor's questions, each with a good and a bad answer of a real part."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.health import RELEASED, Finding, Grade, examine_host
from gateway.system.dns import Status
from gateway.system.panic import Panic
from gateway.system.tls import make_certificate
from tests.support import certificates
from tests.support.dnsserver import DnsServer
from tests.support.downstream import Downstream, Fault
from tests.support.fakespamd import FakeSpamd, replying
from tests.support.journal import journal_at, record_of
from tests.support.journeys import settings_of
from tests.support.sealing import pem
from tests.support.signing import ed25519_key, rsa_key
from tests.support.spamd import free_port

DAY = 86400.0
NOW = RELEASED + 100 * DAY
ZONE: dict[Any, Any] = {
    ("mx.example.org", "A"): ["192.0.2.1"],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["mx.example.org"],
    ("2.0.0.127.zen.spamhaus.org", "A"): ["127.0.0.2", "127.0.0.4"],
}
NO_RELAY = {"RCPT": ["550 5.7.1 Relaying denied"] * 3}


async def findings(
    directory: Path,
    zone: dict[Any, Any] | None = None,
    *,
    clock: Callable[[], float] = lambda: NOW,
    synchronised: Callable[[], bool] = lambda: True,
    **settings: Any,
) -> list[Finding]:
    for name in ("mail", "spool"):
        (directory / name).mkdir(exist_ok=True)
    async with DnsServer(ZONE if zone is None else ZONE | zone) as dns:
        asked = {"dns": {"servers": [dns.address], "timeout": 0.2, "tries": 1}, "spool_directory": directory / "spool"}
        whole = settings_of(directory, **(asked | settings))
        return [finding async for finding in examine_host(whole, clock=clock, synchronised=synchronised)]


def about(found: list[Finding], words: str) -> Finding:
    """The one finding whose text has these words."""
    [finding] = [finding for finding in found if words in finding.text]
    return finding


@asynccontextmanager
async def all_well() -> AsyncIterator[dict[str, Any]]:
    """Settings that name a spamd and a mail server that are well."""
    async with FakeSpamd(replying(b"SPAMD/1.5 0 PONG\r\n")) as spamd, Downstream(NO_RELAY) as server:
        yield {
            "spamd": {"hosts": [{"address": spamd.address}]},
            "route": {"default": {"hosts": [str(server.endpoint)]}},
        }


def with_certificate(directory: Path, hostname: str) -> dict[str, Any]:
    path = directory / f"{hostname}.pem"
    path.write_bytes(make_certificate(hostname))
    return {"tls": {"certificate": path, "key": path}}


def with_sealing_key(directory: Path, mode: int = 0o600) -> dict[str, Any]:
    path = directory / "arc.pem"
    path.write_bytes(pem(rsa_key()))
    path.chmod(mode)
    return {"arc": {"seal": {"domain": "example.org", "selector": "s1", "key": path}}}


async def test_a_host_that_is_well_has_nothing_to_do(tmp_path: Path) -> None:
    async with all_well() as settings:
        found = await findings(tmp_path, **settings, **with_certificate(tmp_path, "mx.example.org"))
    assert {finding.grade for finding in found} == {Grade.GOOD}
    assert not any(finding.advice for finding in found)
    assert len(found) == 11


@pytest.mark.parametrize(
    ("network", "grade"),
    [
        ("192.0.2.7/32", Grade.GOOD),
        ("10.1.0.0/16", Grade.GOOD),
        ("198.51.100.0/24", Grade.GOOD),
        ("fd00:1:2::/48", Grade.GOOD),
        ("2001:470:1::/64", Grade.GOOD),
        ("10.0.0.0/8", Grade.WARNING),
        ("8.8.0.0/16", Grade.WARNING),
        ("0.0.0.0/0", Grade.WARNING),
        ("::/0", Grade.WARNING),
        ("2001:470:1::/48", Grade.WARNING),
    ],
)
@pytest.mark.parametrize("name", ["balancers", "xclient"])
async def test_networks_whose_hosts_nobody_can_know_are_not_to_be_trusted(
    name: str, network: str, grade: Grade, tmp_path: Path
) -> None:
    found = await findings(tmp_path, networks={name: [network]})
    assert about(found, f"[networks] {name} trusts {network}").grade is grade


async def test_everything_that_is_not_good_comes_with_advice(tmp_path: Path) -> None:
    found = await findings(
        tmp_path,
        {("mx.example.org", "A"): [], ("2.0.0.127.zen.spamhaus.org", "A"): Status.SERVFAIL},
        route={"default": {"hosts": [f"smtp://127.0.0.1:{free_port()}"]}},
        spool_directory=tmp_path / "missing",
        clock=lambda: 0.0,
    )
    assert [bool(finding.advice) for finding in found] == [finding.grade is not Grade.GOOD for finding in found]
    assert sum(finding.grade is not Grade.GOOD for finding in found) == 7


async def test_dns_that_does_not_answer_is_bad(tmp_path: Path) -> None:
    servers = {"servers": [f"127.0.0.1:{free_port()}"], "timeout": 0.1, "tries": 1, "deadline": 0.3}
    found = await findings(tmp_path, dns=servers)
    assert about(found, "DNS does not answer").grade is Grade.BAD
    assert not any("mx.example.org" in finding.text for finding in found)  # nothing is known about names


async def test_a_resolver_that_block_lists_refuse_is_bad(tmp_path: Path) -> None:
    refused = {("2.0.0.127.zen.spamhaus.org", "A"): ["127.255.255.254"]}
    assert about(await findings(tmp_path, refused), "block lists refuse").grade is Grade.BAD


async def test_a_block_list_that_does_not_answer_is_a_warning(tmp_path: Path) -> None:
    silent = {("2.0.0.127.zen.spamhaus.org", "A"): []}
    assert about(await findings(tmp_path, silent), "a block list gave no answer").grade is Grade.WARNING


ADDRESSES = ("2.0.0.127.list.example", "1.0.0.127.list.example")
LISTED = {(ADDRESSES[0], "A"): ["127.0.0.2"]}


@pytest.mark.parametrize(
    ("zone", "grade", "words"),
    [
        (LISTED, Grade.GOOD, "has its test entry (127.0.0.2)"),
        ({(ADDRESSES[0], "A"): ["127.0.10.0"]}, Grade.GOOD, "(127.0.10.0), which `listed` does not count"),
        ({("2" + ".0" * 5 + ".f.7.f.f.f.f" + ".0" * 20 + ".list.example", "A"): ["127.0.0.2"]}, Grade.GOOD, "has its"),
        ({(ADDRESSES[0], "A"): ["127.255.255.254"]}, Grade.WARNING, "with an error code (127.255.255.254)"),
        ({(ADDRESSES[0], "A"): ["203.0.113.80"]}, Grade.WARNING, "none of a list's (203.0.113.80)"),
        (LISTED | {(ADDRESSES[1], "A"): ["127.0.0.2"]}, Grade.WARNING, "has an entry that no list may have"),
        ({}, Grade.WARNING, "lacks its test entry"),
        ({(ADDRESSES[0], "A"): Status.SERVFAIL}, Grade.WARNING, "gives no answer"),
    ],
)
async def test_dns_lists_are_asked_for_their_test_entries(
    tmp_path: Path, zone: dict[Any, Any], grade: Grade, words: str
) -> None:
    found = await findings(tmp_path, zone, dnslist={"secret": {"zone": "list.example"}})
    finding = about(found, "DNS list secret")
    assert finding.grade is grade
    assert words in finding.text
    assert bool(finding.advice) is (grade is not Grade.GOOD)
    assert "list.example" not in finding.text  # it may have a key in it


async def test_dns_lists_of_names_have_other_test_entries(tmp_path: Path) -> None:
    lists = {"dbl": {"zone": "names.example", "about": "sender"}, "ended": {"zone": "ended.example", "about": "helo"}}
    zone = {("test.names.example", "A"): ["127.0.1.2"], ("invalid.ended.example", "A"): ["127.0.0.2"]}
    found = await findings(tmp_path, zone, dnslist=lists)
    assert about(found, "DNS list dbl").grade is Grade.GOOD
    assert about(found, "DNS list ended has an entry that no list may have").grade is Grade.WARNING


@pytest.mark.parametrize(
    ("zone", "grade", "words"),
    [
        ({("mx.example.org", "A"): []}, Grade.BAD, "mx.example.org has no address in DNS"),
        (
            {("1.2.0.192.in-addr.arpa", "PTR"): ["other.example"]},
            Grade.WARNING,
            "192.0.2.1 leads back to other.example",
        ),
        ({("1.2.0.192.in-addr.arpa", "PTR"): []}, Grade.WARNING, "192.0.2.1 leads back to nothing"),
        ({}, Grade.GOOD, "mx.example.org is 192.0.2.1, and 192.0.2.1 is mx.example.org"),
    ],
)
async def test_names_must_lead_back(tmp_path: Path, zone: dict[Any, Any], grade: Grade, words: str) -> None:
    assert about(await findings(tmp_path, zone), words).grade is grade


async def test_spamd_is_greeted(tmp_path: Path) -> None:
    hosts = [{"address": f"127.0.0.1:{free_port()}"}]
    async with FakeSpamd(replying(b"garbage\r\n")) as garbled:
        hosts.append({"address": garbled.address})
        found = await findings(tmp_path, spamd={"hosts": hosts})
    assert [about(found, f"spamd at {host['address']}").grade for host in hosts] == [Grade.BAD] * 2


@pytest.mark.parametrize("spamd", [{}, {"enabled": False, "hosts": [{"address": "127.0.0.1:783"}]}])
async def test_no_spamd_is_a_warning(tmp_path: Path, spamd: dict[str, Any]) -> None:
    assert about(await findings(tmp_path, spamd=spamd), "no spamd is configured").grade is Grade.WARNING


@pytest.mark.parametrize(
    ("script", "grade", "words"),
    [
        (NO_RELAY, Grade.GOOD, "answers, and does not relay for us"),
        ({}, Grade.BAD, "would relay for us to anywhere"),
        ({"banner": ["554 5.7.1 Not you"]}, Grade.BAD, "554 5.7.1 Not you"),
        ({"EHLO": ["550 5.7.1 Not you"]}, Grade.BAD, "550 5.7.1 Not you"),
        ({"MAIL": ["550 5.7.1 Not you"]}, Grade.BAD, "takes no mail from us: 550 5.7.1 Not you"),
        ({"RCPT": [Fault.CLOSE]}, Grade.WARNING, "ended the connection"),
    ],
)
async def test_a_mail_server_is_asked_whether_it_relays(
    tmp_path: Path, script: dict[str, Any], grade: Grade, words: str
) -> None:
    async with Downstream(script) as server:
        found = await findings(tmp_path, route={"default": {"hosts": [str(server.endpoint)]}})
        assert server.messages == []
    finding = about(found, "route default")
    assert finding.grade is grade
    assert words in finding.text


async def test_a_mail_server_that_is_down_is_bad(tmp_path: Path) -> None:
    endpoint = f"smtp://127.0.0.1:{free_port()}"
    finding = about(await findings(tmp_path, route={"default": {"hosts": [endpoint]}}), f"route default: {endpoint}")
    assert finding.grade is Grade.BAD


async def test_authorities_that_cannot_be_read_are_bad(tmp_path: Path) -> None:
    async with Downstream() as server:
        route = {"hosts": [str(server.endpoint)], "tls_authorities": "/nonexistent"}
        assert about(await findings(tmp_path, route={"default": route}), "route default").grade is Grade.BAD


async def test_a_maildir_must_be_there(tmp_path: Path) -> None:
    missing = {"default": {"hosts": [f"maildir://{tmp_path}/missing"]}}
    assert about(await findings(tmp_path, route=missing), f"{tmp_path}/missing cannot be").grade is Grade.BAD
    assert about(await findings(tmp_path), f"{tmp_path}/mail can be").grade is Grade.GOOD


@pytest.mark.parametrize("key", ["state_directory", "spool_directory"])
async def test_a_directory_that_is_not_there_is_bad(tmp_path: Path, key: str) -> None:
    found = await findings(tmp_path, **{key: tmp_path / "missing"})
    finding = about(found, f"{tmp_path}/missing cannot be written to: No such file or directory")
    assert finding.grade is Grade.BAD


async def test_looking_at_directories_leaves_nothing_behind(tmp_path: Path) -> None:
    await findings(tmp_path, quarantine={"directory": tmp_path / "spool"})
    assert [*(tmp_path / "spool").iterdir(), *(tmp_path / "mail").iterdir()] == []


@pytest.mark.parametrize(
    ("hostname", "grade", "words"),
    [
        ("mx.example.org", Grade.GOOD, "the certificate is for mx.example.org, and good for"),
        ("*.example.org", Grade.GOOD, "the certificate is for mx.example.org, and good for"),
        ("mail.example.org", Grade.BAD, "the certificate is for mail.example.org, not for mx.example.org"),
        ("*.mx.example.org", Grade.BAD, "not for mx.example.org"),
        ("*.org", Grade.BAD, "not for mx.example.org"),
    ],
)
async def test_a_certificate_must_be_for_the_host(tmp_path: Path, hostname: str, grade: Grade, words: str) -> None:
    found = await findings(tmp_path, **with_certificate(tmp_path, hostname), clock=time.time)
    finding = about(found, "the certificate is for")
    assert finding.grade is grade
    assert words in finding.text


@pytest.mark.parametrize(
    ("days", "grade", "words"),
    [
        (3650 - 20, Grade.GOOD, "good for"),
        (3650 - 5, Grade.WARNING, "the certificate ends in 4 days"),
        (3650 + 1, Grade.BAD, "the certificate is good from"),
    ],
)
async def test_a_certificate_must_not_end_soon(tmp_path: Path, days: int, grade: Grade, words: str) -> None:
    def then() -> float:
        return time.time() + days * DAY

    finding = about(await findings(tmp_path, **with_certificate(tmp_path, "mx.example.org"), clock=then), words)
    assert finding.grade is grade


async def test_a_certificate_for_no_name_is_for_nobody(tmp_path: Path) -> None:
    made = certificates.make_certificate(tmp_path, "192.0.2.1")
    tls = {"certificate": made.certificate, "key": made.key}
    assert about(await findings(tmp_path, tls=tls), "the certificate is for no host name").grade is Grade.BAD


async def test_a_certificate_that_cannot_be_used_is_bad(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    made = certificates.make_certificate(tmp_path / "one", "192.0.2.1")
    other = with_certificate(tmp_path, "mx.example.org")["tls"]["key"]
    for tls in (
        {"certificate": made.certificate, "key": other},
        {"certificate": tmp_path / "missing", "key": tmp_path / "missing"},
    ):
        assert about(await findings(tmp_path, tls=tls), "cannot be used").grade is Grade.BAD


async def test_a_self_made_certificate_is_a_warning(tmp_path: Path) -> None:
    assert about(await findings(tmp_path), "the certificate is self-made").grade is Grade.WARNING


@pytest.mark.parametrize(
    ("now", "synchronised", "grade"),
    [(0.0, True, Grade.BAD), (NOW, False, Grade.WARNING), (NOW, True, Grade.GOOD)],
)
async def test_the_clock_must_be_right(tmp_path: Path, now: float, synchronised: bool, grade: Grade) -> None:
    found = await findings(tmp_path, clock=lambda: now, synchronised=lambda: synchronised)
    assert about(found, "the clock").grade is grade


def test_the_command_prints_a_line_a_question_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "mailward.toml"
    config.write_text(f"""
hostname = "mx.example.org"
domains = ["example.org"]
state_directory = "{tmp_path}"
spool_directory = "{tmp_path}/missing"
[dns]
servers = ["127.0.0.1:{free_port()}"]
timeout = 0.1
tries = 1
[route.default]
hosts = ["maildir://{tmp_path}"]
""")
    assert main(["doctor", "--config", str(config)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"ok      {tmp_path} can be written to" in lines
    place = lines.index(f"bad     {tmp_path}/missing cannot be written to: No such file or directory")
    assert lines[place + 1] == "        Make it, for the gateway's user."


def test_a_broken_configuration_is_told_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config", str(tmp_path / "missing")]) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("published", "grade", "words"),
    [
        ([rsa_key().record], Grade.GOOD, "the sealing key is published at s1._domainkey.example.org"),
        ([], Grade.BAD, "the sealing key at s1._domainkey.example.org: there is no key for it"),
        ([ed25519_key().record], Grade.BAD, "the sealing key at s1._domainkey.example.org: another key is published"),
        (
            Status.SERVFAIL,
            Grade.WARNING,
            "the sealing key at s1._domainkey.example.org: its key could not be looked up",
        ),
    ],
)
async def test_the_sealing_key_must_be_published(tmp_path: Path, published: Any, grade: Grade, words: str) -> None:
    zone = {("s1._domainkey.example.org", "TXT"): published}
    finding = about(await findings(tmp_path, zone, **with_sealing_key(tmp_path)), "sealing key")
    assert (finding.grade, finding.text) == (grade, words)
    record = finding.advice.partition(" IN TXT ")[2].strip("( )").replace('" "', "").strip('"')
    assert record.encode() == (b"" if grade is Grade.GOOD else rsa_key().record)


async def test_a_sealing_key_that_cannot_be_used_is_bad(tmp_path: Path) -> None:
    finding = about(await findings(tmp_path, **with_sealing_key(tmp_path, mode=0o644)), "nothing can be sealed")
    assert (finding.grade, "chmod o=" in finding.text) == (Grade.BAD, True)


async def test_connections_beyond_what_a_process_may_open_are_a_warning(tmp_path: Path) -> None:
    async with all_well() as settings:
        found = await findings(tmp_path, **settings, session={"max_connections": 10**9})
        assert about(found, "a process may open").grade is Grade.WARNING
        found = await findings(tmp_path, **settings, session={"max_connections": 10})
        assert about(found, "a process may open").grade is Grade.GOOD


async def test_a_panic_switch_that_is_on_is_a_warning(tmp_path: Path) -> None:
    before = await findings(tmp_path)
    Panic(tmp_path).switch_on("a bad rule")
    after = await findings(tmp_path)
    assert len(after) == len(before) + 1
    finding = about(after, "panic switch")
    assert (finding.grade, finding.text) == (Grade.WARNING, "the panic switch is on, so nothing is refused: a bad rule")


async def test_a_journal_that_is_not_there_yet_is_no_fault(tmp_path: Path) -> None:
    found = about(await findings(tmp_path), "the journal")
    assert (found.grade, found.text.endswith("will be made when the gateway starts")) == (Grade.GOOD, True)
    assert not (tmp_path / "journal.db").exists()


async def test_a_journal_that_can_be_written_is_well_and_stays_as_it_is(tmp_path: Path) -> None:
    with journal_at(f"sqlite://{tmp_path}/journal.db") as journal:
        journal.write(record_of())
        found = about(await findings(tmp_path), "the journal")
        assert (found.grade, journal.reader.extent().rows) == (Grade.GOOD, 1)
    assert found.text.endswith("can be written")


async def test_a_journal_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"no database at all" * 1000)
    found = about(await findings(tmp_path), "the journal")
    assert (found.grade, "cannot be written: file is not a database" in found.text) == (Grade.BAD, True)
    away = about(await findings(tmp_path, journal={"url": "postgresql://mailward:secret@127.0.0.1:9/x"}), "the journal")
    assert away.grade is Grade.BAD
    assert "secret" not in away.text


async def test_where_no_journal_is_kept_nothing_is_said_of_it(tmp_path: Path) -> None:
    assert not any("the journal" in finding.text for finding in await findings(tmp_path, journal={"enabled": False}))
