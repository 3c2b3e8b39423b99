"""What the journal keeps of DMARC is what an aggregate report needs (RFC 9990)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.facts import Facts
from gateway.journal.dmarc import evaluation
from gateway.journal.frame import decode, encode
from gateway.record import Event, Record
from gateway.system.dns import Status
from tests.support.dnstable import Question, TableResolver
from tests.support.journal import EVIDENCE, FOUND, record_of
from tests.support.journeys import LETTER, walking
from tests.support.signing import rsa_key, signed

ZONE: dict[Question, Sequence[Any]] = {
    ("sender.example", "TXT"): [b"v=spf1 ip4:198.51.100.0/24 -all"],
    ("_dmarc.sender.example", "TXT"): [
        b"v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; t=y; fo=1:d; rua=mailto:a@r.example,mailto:b@r.example"
    ],
}


def evaluated(record: Record) -> dict[str, Any] | None:
    noted = decode(encode(record, "digest"))
    return evaluation(noted.values, noted.facts, noted.dmarc)


def of(facts: Facts, **values: Any) -> dict[str, Any]:
    found = evaluated(record_of(facts={**FOUND, **facts}, dmarc=EVIDENCE, **values))
    assert found is not None
    return found


async def test_everything_that_a_report_says_is_there(tmp_path: Path) -> None:
    letter = signed(LETTER, rsa_key(), domain="other.example")
    zone = {**ZONE, ("s1._domainkey.other.example", "TXT"): [rsa_key().record]}
    async with walking(tmp_path, TableResolver(zone)) as walk:
        await walk.connect(ip="192.0.2.7")
        assert (await walk.send(letter)).startswith("250 ")
        found = evaluated(walk.recorded())
    assert found == {
        "policy_domain": "sender.example",
        "source_ip": "192.0.2.7",
        "result": "fail",
        "disposition": "quarantine",
        "dkim_aligned": "fail",
        "spf_aligned": "fail",
        "override": "policy_test_mode",
        "comment": "",
        "header_from": "sender.example",
        "envelope_from": "sender.example",
        "envelope_to": "example.org",
        "p": "reject",
        "sp": "quarantine",
        "np": "none",
        "adkim": "s",
        "aspf": "r",
        "testing": "y",
        "fo": "1:d",
        "rua": ["mailto:a@r.example", "mailto:b@r.example"],
        "dkim": [["other.example", "s1", "pass", ""]],
        "spf_domain": "sender.example",
        "spf_scope": "mfrom",
        "spf_result": "fail",
        "spf_reason": "",
    }


async def test_the_helo_name_is_told_where_it_was_checked_instead_of_the_sender(tmp_path: Path) -> None:
    async with walking(tmp_path, TableResolver(ZONE)) as walk:
        await walk.connect(helo="sender.example")
        await walk.send(sender="")
        found = evaluated(walk.recorded())
    assert found is not None
    assert (found["spf_scope"], found["spf_domain"], found["spf_result"]) == ("helo", "sender.example", "fail")
    assert found["envelope_from"] == ""


async def test_where_no_policy_is_published_nobody_is_told(tmp_path: Path) -> None:
    async with walking(tmp_path, TableResolver({})) as walk:
        await walk.connect()
        await walk.send()
        assert evaluated(walk.recorded()) is None


async def test_where_the_policy_could_not_be_looked_up_nobody_is_told(tmp_path: Path) -> None:
    resolver = TableResolver({("_dmarc.sender.example", "TXT"): Status.SERVFAIL})
    async with walking(tmp_path, resolver) as walk:
        await walk.connect()
        await walk.send()
        assert walk.recorded().results["dmarc"] == "temperror"
        assert evaluated(walk.recorded()) is None


@pytest.mark.parametrize(
    ("aligned", "dkim", "spf"),
    [((), "fail", "fail"), (("spf",), "fail", "pass"), (("dkim", "spf"), "pass", "pass")],
)
def test_alignment_is_told_for_each_mechanism(aligned: tuple[str, ...], dkim: str, spf: str) -> None:
    found = of({"dmarc.aligned": aligned})
    assert (found["dkim_aligned"], found["spf_aligned"]) == (dkim, spf)


def test_of_a_forwarder_it_is_told_whom_we_trusted() -> None:
    trusted = {"arc.trusted": True, "arc.sealer": "lists.example"}
    assert of(trusted, dmarc_override="trusted_forwarder")["comment"] == "sealed by lists.example"
    assert of({"client.role": "relay"}, dmarc_override="trusted_forwarder")["comment"] == "a relay partner"


@pytest.mark.parametrize(
    ("event", "reply"), [(Event.MESSAGE, "451 4.3.0 later"), (Event.REFUSED, "550 no"), (Event.LOST, "")]
)
def test_what_comes_again_or_never_came_is_not_counted(event: Event, reply: str) -> None:
    assert evaluated(record_of(event, reply=reply, dmarc=EVIDENCE)) is None


def test_a_message_without_an_spf_result_has_none() -> None:
    found = evaluated(record_of(dmarc={**EVIDENCE, "spf": None}))
    assert found is not None
    assert (found["spf_domain"], found["spf_result"]) == ("", "")


def test_the_domain_of_each_column_is_one_of_the_report() -> None:
    """The words that the schema of RFC 9990 allows."""
    found = of({})
    assert found["disposition"] in ("none", "pass", "quarantine", "reject")
    assert {found["adkim"], found["aspf"]} <= {"r", "s"}
    assert found["testing"] in ("y", "n")
