"""The DMARC cases recorded from mailauth (https://github.com/postalsys/mailauth): a zone, identifiers, and the result;
by library call and over a real DNS server on loopback.

The recordings are of two versions, one for RFC 7489 and one for RFC 9989; where they disagree, RFC 9989 decides. That
is so in two cases of the older one, which are not applicable; every other case of both files is asked.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.checks.dmarc.alignment import Identifier, Mechanism
from gateway.checks.dmarc.check import evaluate
from gateway.checks.dmarc.lookup import walk
from gateway.checks.dmarc.tree import path
from gateway.system.dns import DnsResolver, DnsSettings, Resolver, Status
from tests.support.dnsserver import DnsServer
from tests.support.dnstable import Table, TableResolver

pytestmark = pytest.mark.suites

Case = dict[str, Any]

# (suite, kind) -> how many cases it has, and how many of them are asked
CASES = {
    ("mailauth-rfc9989.json", "verify"): (65, 65),
    ("mailauth-rfc9989.json", "record"): (26, 26),
    ("mailauth-rfc7489.json", "verify"): (53, 51),
    ("mailauth-rfc7489.json", "record"): (26, 26),
}
SUITES = tuple(dict.fromkeys(suite for suite, _ in CASES))

# (suite, end of the title) -> why its result is not asked for
OTHER_RESULT_IN_9989 = {
    ("mailauth-rfc7489.json", "when the author domain publishes multiple records (§4.10 step 2)"): (
        "RFC 9989 section 4.10 step 2 discards the records and walks on"
    ),
    ("mailauth-rfc7489.json", "headerFrom array with multiple elements"): (
        "RFC 9989 section 5.3.1 asks for one domain, not for one address"
    ),
}

_FAULTS = {"ENOTFOUND": Status.NXDOMAIN, "ENODATA": Status.NODATA, "ETIMEOUT": Status.TIMEOUT}
_RECORDS: dict[str, Callable[[Any], Any]] = {
    "TXT": lambda strings: "".join(strings).encode(),
    "MX": lambda mx: (mx["priority"], mx["exchange"]),
    "A": str,
}


def cases(folder: Path, suite: str, kind: str) -> list[Case]:
    found = [case for case in json.loads((folder / "dmarc" / suite).read_text()) if case["kind"] == kind]
    asked = [case for case in found if not _is_left_out(suite, case)]
    assert (len(found), len(asked)) == CASES[suite, kind]
    return asked


def _is_left_out(suite: str, case: Case) -> bool:
    return any(suite == name and case["title"].endswith(end) for name, end in OTHER_RESULT_IN_9989)


@asynccontextmanager
async def by_call(table: Table) -> AsyncIterator[Resolver]:
    yield TableResolver(table)


@asynccontextmanager
async def over_the_wire(table: Table) -> AsyncIterator[Resolver]:
    patience = {"timeout": 0.2, "tries": 1} if Status.TIMEOUT in table.values() else {}
    async with DnsServer(table) as server:
        resolver = DnsResolver(DnsSettings(servers=(server.address,), **patience))
        yield resolver
        await resolver.close()


WAYS = pytest.mark.parametrize("resolving", [by_call, over_the_wire])
Resolving = Callable[[Table], AbstractAsyncContextManager[Resolver]]


def table_of(case: Case) -> Table:
    """What the recorded run was answered, and the rest of the zone that it ran on."""
    table: dict[tuple[str, str], Any] = {}
    for zone in (case["zone"] or {}, case["queried"]):
        for name, types in zone.items():
            for rrtype, value in types.items():
                if rrtype in _RECORDS:
                    table[name, rrtype] = _answer(rrtype, value)
    return table


def _answer(rrtype: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _FAULTS[value["error"]]
    return [_RECORDS[rrtype](record) for record in value] or Status.NODATA


def identifiers_of(case: Case) -> list[Identifier]:
    kinds = ((Mechanism.DKIM, "dkimDomains"), (Mechanism.SPF, "spfDomains"))
    return [
        Identifier(mechanism, one if isinstance(one, str) else one["domain"])
        for mechanism, key in kinds
        for one in case["input"][key]
    ]


def author_of(case: Case) -> str:
    header_from = case["input"]["headerFrom"]
    addresses = [header_from] if isinstance(header_from, str) else header_from
    (domain,) = {str(address).rpartition("@")[2] for address in addresses}
    return domain


@WAYS
@pytest.mark.parametrize("suite", SUITES)
async def test_message_gets_the_recorded_result(
    suites: Path, score: Callable[[str, int, int], None], suite: str, resolving: Resolving
) -> None:
    different = {}
    asked = cases(suites, suite, "verify")
    for case in asked:
        async with resolving(table_of(case)) as resolver:
            found = await evaluate(resolver, author_of(case), identifiers_of(case))
        status = case["result"]["status"]
        expected = {"result": status["result"], "domain": status["header"].get("d", "")}
        if "policy" in status:
            expected["policy"] = status["policy"]["dmarc"]
        if not expected.items() <= found.report().items():
            different[case["title"]] = (expected, found)
    score(f"dmarc/{suite}, messages, {_said(resolving)}", len(asked) - len(different), len(asked))
    assert not different


@WAYS
@pytest.mark.parametrize("suite", SUITES)
async def test_domain_has_the_recorded_policy_record(
    suites: Path, score: Callable[[str, int, int], None], suite: str, resolving: Resolving
) -> None:
    different = {}
    asked = cases(suites, suite, "record")
    for case in asked:
        async with resolving(table_of(case)) as resolver:
            found = await walk(resolver, path(case["input"]["domain"]))
        expected = case["result"]
        if isinstance(expected, dict) and "threw" in expected:
            matches = not found.complete
        elif found.policy is None:
            matches = expected is False
        else:
            record = found.policy.record
            matches = (
                found.complete
                and record.policy == expected["p"]
                and record.subdomains == expected.get("sp", expected["p"])
                and record.adkim == expected.get("adkim", "r")
                and record.aspf == expected.get("aspf", "r")
                and ",".join(record.rua) == expected.get("rua", "")
                and ",".join(record.ruf) == expected.get("ruf", "")
                and (found.policy.domain != found.start) is expected["isOrgRecord"]
                and found.organizational_domain == expected.get("orgDomain", found.organizational_domain)
            )
        if not matches:
            different[case["title"]] = (expected, found)
    score(f"dmarc/{suite}, records, {_said(resolving)}", len(asked) - len(different), len(asked))
    assert not different


def _said(resolving: Resolving) -> str:
    return "over loopback DNS" if resolving is over_the_wire else "by library call"
