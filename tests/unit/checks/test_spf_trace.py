"""What the Received-SPF field says of a result, and when there is none."""

from typing import Any

import pytest

from gateway.authres.receivedspf import ReceivedSpf
from gateway.checks.base import Unavailable
from gateway.checks.spf import SpfCheck, SpfSettings, trace
from gateway.connection import Role
from gateway.system.dns import Status
from tests.support.dnstable import Table, TableResolver
from tests.support.spfcase import spf_subject

ZONE: Table = {
    ("good.example", "TXT"): [b"v=spf1 include:_spf.good.example -all"],
    ("_spf.good.example", "TXT"): [b"v=spf1 ip4:192.0.2.0/24 -all"],
    ("open.example", "TXT"): [b"v=spf1 ip4:203.0.113.1"],
    ("broken.example", "TXT"): [b"v=spf1 bogus"],
    ("slow.example", "TXT"): Status.SERVFAIL,
    ("moved.example", "TXT"): [b"v=spf1 redirect=good.example"],
}


async def traced(
    sender: str, *, ip: str = "192.0.2.1", helo: str = "good.example", role: Role = Role.STRANGER
) -> ReceivedSpf | None:
    subject = spf_subject(ip, helo, sender, role=role)
    result = await SpfCheck(SpfSettings(), resolver=TableResolver(ZONE))(subject)
    return trace({"spf": result}, subject.connection, subject.envelope, receiver="mx.example.org")


async def test_a_pass_is_told_with_the_mechanism_of_the_domains_own_record() -> None:
    assert await traced("ann@good.example") == ReceivedSpf(
        result="pass",
        identity="mailfrom",
        client_ip="192.0.2.1",
        envelope_from="ann@good.example",
        helo="good.example",
        mechanism="include:_spf.good.example",
        problem="",
        receiver="mx.example.org",
    )


@pytest.mark.parametrize(
    ("sender", "told"),
    [
        ("", {"result": "pass", "identity": "helo", "envelope_from": ""}),
        ("ann@moved.example", {"result": "pass", "mechanism": "include:_spf.good.example"}),
        ("ann@open.example", {"result": "neutral", "mechanism": "default"}),
        ("ann@missing.example", {"result": "none", "mechanism": "", "problem": ""}),
        ("ann@broken.example", {"result": "permerror", "mechanism": "", "problem": "Unknown mechanism found: bogus"}),
        ("ann@slow.example", {"result": "temperror", "problem": "TXT lookup of slow.example: servfail"}),
    ],
)
async def test_each_result_is_told(sender: str, told: dict[str, Any]) -> None:
    stated = await traced(sender)
    assert {key: getattr(stated, key) for key in told} == told


async def test_a_mapped_address_is_told_as_the_ipv4_address_it_is() -> None:
    stated = await traced("ann@good.example", ip="::ffff:192.0.2.1")
    assert stated is not None
    assert stated.client_ip == "192.0.2.1"


@pytest.mark.parametrize("role", [Role.RELAY, Role.INTERNAL])
async def test_nothing_is_told_where_nothing_was_checked(role: Role) -> None:
    assert await traced("ann@good.example", role=role) is None


def test_nothing_is_told_where_the_check_could_not_answer() -> None:
    subject = spf_subject("192.0.2.1", "good.example", "ann@good.example")
    for results in ({}, {"spf": Unavailable("spf", "no answer")}):
        assert trace(results, subject.connection, subject.envelope, receiver="mx.example.org") is None
