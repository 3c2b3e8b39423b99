"""The test suite of openspf for RFC 7208: every result, by library call and over a real DNS server on loopback.

Results are compared; explanations are not, since this gateway never fetches one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.checks.spf import SpfCheck, SpfSettings
from gateway.system.dns import DnsResolver, DnsSettings, Resolver
from tests.support.dnsserver import DnsServer
from tests.support.dnstable import TableResolver
from tests.support.spfcase import spf_subject, suite_table

pytestmark = pytest.mark.suites

CASES = 203


def scenarios(suites: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((suites / "spf" / "rfc7208-tests.yml").read_text()))


async def failures(scenario: dict[str, Any], resolver: Resolver) -> list[str]:
    check = SpfCheck(SpfSettings(), resolver=resolver)
    failed = []
    for name, case in scenario["tests"].items():
        found = await check(spf_subject(case["host"], case["helo"], case["mailfrom"]))
        expected = case["result"] if isinstance(case["result"], list) else [case["result"]]
        if found.result not in expected:
            failed.append(f"{scenario['description']}: {name}: {found} instead of {expected}")
    return failed


async def test_every_case_by_library_call(suites: Path, score: Callable[[str, int, int], None]) -> None:
    failed = []
    for scenario in scenarios(suites):
        failed += await failures(scenario, TableResolver(suite_table(scenario["zonedata"])))
    score("spf/rfc7208-tests.yml by library call", CASES - len(failed), CASES)
    assert not failed


async def test_every_case_over_the_wire(suites: Path, score: Callable[[str, int, int], None]) -> None:
    failed = []
    for scenario in scenarios(suites):
        async with DnsServer(suite_table(scenario["zonedata"])) as server:
            resolver = DnsResolver(DnsSettings(servers=(server.address,), timeout=0.2, tries=1))
            failed += await failures(scenario, resolver)
            await resolver.close()
    score("spf/rfc7208-tests.yml over loopback DNS", CASES - len(failed), CASES)
    assert not failed


def test_the_suite_is_whole(suites: Path) -> None:
    assert sum(len(scenario["tests"]) for scenario in scenarios(suites)) == CASES
