"""DNS lists at a running gateway: who is refused at RCPT, what is asked of the lists, and what is not."""

import asyncio
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.config import load
from gateway.system.dns import Status
from tests.support.dnsserver import DnsServer
from tests.support.documents import DOCS
from tests.support.gateway import Answer, RunningGateway, running_gateway

LISTED, CLEAN, VOUCHED = "127.0.0.66", "127.0.0.9", "127.0.0.67"
LETTER = b"From: ann@sender.example\r\nSubject: A letter\r\n\r\nDear Alice,\r\n"
LISTS = """
[route.default]
hosts = ["maildir://{root}/mail"]

[dnslist.zen]
zone = "secretkey.block.example"
names = {{ "127.0.0.[10..11]" = "pbl" }}

[dnslist.dnswl]
zone = "allow.example"
kind = "allow"

[dnslist.dbl]
zone = "names.example"
about = "sender"
"""
TABLE: dict[Any, Any] = {
    ("66.0.0.127.secretkey.block.example", "A"): ["127.0.0.2", "127.0.0.10"],
    ("67.0.0.127.secretkey.block.example", "A"): ["127.0.0.2"],
    ("67.0.0.127.allow.example", "A"): ["127.0.10.3", "127.0.0.3"],
    ("spammer.example.names.example", "A"): ["127.0.0.2"],
}


async def played(
    root: Path, play: Callable[[RunningGateway], Any], *, table: dict[Any, Any] | None = None, **more: Any
) -> DnsServer:
    """Run a gateway on a DNS server with that table, and the play beside it; gives the server with what was asked."""

    def run(dns: str) -> None:
        with running_gateway(root, dns=dns, more=LISTS.format(root=root), **more) as gateway:
            play(gateway)

    async with DnsServer(TABLE | (table or {})) as server:
        await asyncio.to_thread(run, server.address)
        return server


def asked(server: DnsServer, zone: str) -> list[str]:
    """The entries of a zone that were asked for."""
    return [name.removesuffix(f".{zone}") for name, _, _ in server.asked if name.endswith(f".{zone}")]


def bring(gateway: RunningGateway, source: str, sender: str = "ann@sender.example", to: str = "alice") -> Answer:
    return gateway.send(LETTER, sender=sender, recipient=f"{to}@example.org", source=source)


async def test_a_listed_client_is_refused_at_rcpt_and_others_are_not(tmp_path: Path) -> None:
    def play(gateway: RunningGateway) -> None:
        answer = bring(gateway, LISTED)
        assert (answer.command, answer.code, answer.text) == ("RCPT", 550, "5.7.1 127.0.0.66 is listed by zen")
        assert bring(gateway, CLEAN).code == 250
        assert bring(gateway, VOUCHED).code == 250
        assert bring(gateway, LISTED, to="postmaster").code == 250

        refused = gateway.wait_for_record(event="refused")
        assert (refused["stage"], refused["action"], refused["rules"]) == ("rcpt", "reject", ["dnslist-blocked"])
        assert (refused["dnslists"], refused["listings"]) == ("blocked", ["zen:127.0.0.2", "zen:pbl"])
        assert "dnslists" in refused["milliseconds"]
        gateway.wait_for_record(3)
        clean, vouched, spared = gateway.records()
        assert (clean["dnslists"], vouched["dnslists"]) == ("none", "allowed")
        assert (spared["action"], "dnslist-blocked" in spared["rules"]) == ("tag", True)

        page = urllib.request.urlopen(f"http://127.0.0.1:{gateway.status_port}/metrics", timeout=20).read().decode()
        assert re.search(r'mailward_dnslists_total\{list="zen",result="listed"\} 3\.0', page)
        assert re.search(r'mailward_results_total\{check="dnslists",result="blocked"\} 2\.0', page)

        mails = [file.read_bytes() for file in (gateway.root / "mail").rglob("new/*")]
        assert len(mails) == 3
        assert sum(b"dnswl=pass dns.zone=allow.example policy.ip=127.0.0.3" in mail for mail in mails) == 1
        for shown in (*mails, (gateway.root / "log").read_bytes()):
            assert b"secretkey" not in shown

    await played(tmp_path, play)


async def test_a_listed_domain_is_refused_unless_the_client_is_vouched_for(tmp_path: Path) -> None:
    def play(gateway: RunningGateway) -> None:
        answer = bring(gateway, CLEAN, sender="eve@spammer.example")
        assert (answer.command, answer.code) == ("RCPT", 550)
        assert answer.text.endswith("is listed by dbl")
        assert bring(gateway, VOUCHED, sender="eve@spammer.example").code == 250
        assert gateway.wait_for_record(event="refused")["domainlists"] == "blocked"

    await played(tmp_path, play)


async def test_an_answer_is_kept_and_one_lookup_serves_many_clients(tmp_path: Path) -> None:
    def play(gateway: RunningGateway) -> None:
        for _ in range(3):
            assert bring(gateway, LISTED).code == 550
            assert bring(gateway, CLEAN).code == 250

    server = await played(tmp_path, play)
    assert sorted(asked(server, "secretkey.block.example")) == ["1.0.0.127", "66.0.0.127", "9.0.0.127"]
    assert sorted(asked(server, "names.example")) == ["sender.example"]


async def test_our_own_network_is_not_asked_about(tmp_path: Path) -> None:
    def play(gateway: RunningGateway) -> None:
        assert bring(gateway, "127.0.0.1", sender="eve@spammer.example").code == 250
        assert not {"dnslists", "domainlists"} & gateway.wait_for_record().keys()

    server = await played(tmp_path, play)
    assert [asked(server, f"{zone}.example") for zone in ("block", "allow", "names")] == [[], [], []]


FAILURES: dict[str, tuple[Any, str]] = {
    "127.0.0.70": (["127.255.255.254"], "permerror"),
    "127.0.0.71": (["203.0.113.80"], "permerror"),
    "127.0.0.72": (Status.SERVFAIL, "temperror"),
    "127.0.0.73": (Status.TIMEOUT, "temperror"),
}


async def test_a_list_that_fails_refuses_nobody(tmp_path: Path) -> None:
    def play(gateway: RunningGateway) -> None:
        for number, (client, (_, word)) in enumerate(FAILURES.items(), 1):
            assert bring(gateway, client).code == 250
            record = gateway.wait_for_record(number)
            assert (record["client_ip"], record["dnslists"], record["failed_lists"]) == (client, word, ["zen"])

    table = {
        (f"{client.rpartition('.')[2]}.0.0.127.secretkey.block.example", "A"): answer
        for client, (answer, _) in FAILURES.items()
    }
    await played(tmp_path, play, table=table)


async def test_a_list_of_everything_refuses_nobody(tmp_path: Path) -> None:
    def play(gateway: RunningGateway) -> None:
        assert bring(gateway, LISTED).code == 250
        assert gateway.wait_for_record()["failed_lists"] == ["zen"]

    await played(tmp_path, play, table={("1.0.0.127.secretkey.block.example", "A"): ["127.0.0.2"]})


async def test_an_allow_list_that_is_silent_makes_a_listed_client_come_again(tmp_path: Path) -> None:
    def play(gateway: RunningGateway) -> None:
        answer = bring(gateway, LISTED)
        assert (answer.command, answer.code) == ("RCPT", 451)
        assert answer.text.startswith("4.7.1 127.0.0.66 is listed by zen, and a list")

    await played(tmp_path, play, table={("66.0.0.127.allow.example", "A"): Status.SERVFAIL})


async def test_a_site_weighs_a_list_as_it_likes(tmp_path: Path) -> None:
    rules = """
[[rule]]
id = "dnslist-blocked"
enabled = false
[[rule]]
id = "pbl"
why = "Home connections"
when = '"zen:pbl" in dnslists.listings and not under(sender.domain, "sender.example")'
then = "defer"
reply = "4.7.1 listed by {dnslists.blocked}"
"""

    def play(gateway: RunningGateway) -> None:
        assert bring(gateway, LISTED).code == 250
        assert bring(gateway, LISTED, sender="eve@elsewhere.example").text == "4.7.1 listed by zen"

    await played(tmp_path, play, rules=rules)


async def test_check_and_doctor_know_the_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = tmp_path / "message"
    message.write_bytes(LETTER)

    def play(gateway: RunningGateway) -> None:
        case = ["--ip", LISTED, "--from", "ann@sender.example", "--config", str(gateway.config)]
        assert main(["check", str(message), *case]) == 0
        shown = capsys.readouterr().out
        assert "listed" in shown
        assert "list=zen" in shown
        assert "listings=zen:127.0.0.2,zen:pbl" in shown
        assert "dnslist-blocked: reject" in shown
        assert "reply    550 5.7.1 127.0.0.66 is listed by zen" in shown
        main(["doctor", "--config", str(gateway.config)])
        said = capsys.readouterr().out
        assert "DNS list zen lacks its test entry" in said
        assert "DNS list dnswl has its test entry (127.0.0.2)" in said

    await played(tmp_path, play, table={("2.0.0.127.allow.example", "A"): ["127.0.0.2"]})


def test_the_lists_of_the_page_are_a_configuration(tmp_path: Path) -> None:
    [example] = re.findall(r"^```toml\n(\[dnslist\..*?)^```", (DOCS / "operating.md").read_text(), re.M | re.DOTALL)
    path = tmp_path / "mailward.toml"
    path.write_text(
        'hostname = "a.example"\ndomains = ["a.example"]\nroute.default.hosts = ["maildir:///mail"]\n' + example
    )
    assert list(load(path).dnslist) == ["zen", "dnswl", "dbl"]
