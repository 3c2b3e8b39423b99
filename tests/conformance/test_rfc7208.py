"""The test suite of openspf for RFC 7208: every result, by library call and over a real DNS server on loopback.

Results are compared; explanations are not, since this gateway never fetches one.
"""

import importlib.metadata
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.checks.spf import SpfCheck, SpfSettings
from gateway.system.dns import Answer, DnsResolver, DnsSettings, Resolver, Status
from tests.support.dnsserver import DnsServer
from tests.support.dnstable import Question, TableResolver
from tests.support.spfcase import spf_subject, suite_table

pytestmark = pytest.mark.suites

CASES = 203


@pytest.fixture(scope="module")
def scenarios(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The suite: of MAILWARD_SUITES, and without it the one that pyspf's source package carries."""
    if os.environ.get("MAILWARD_SUITES"):
        text = (request.getfixturevalue("suites") / "spf" / "rfc7208-tests.yml").read_text()
    else:
        text = from_source_package(tmp_path_factory.mktemp("pyspf"))
    return list(yaml.safe_load_all(text))


def from_source_package(directory: Path) -> str:
    wanted = f"pyspf=={importlib.metadata.version('pyspf')}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    done = subprocess.run([*pip, "--dest", directory, wanted], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"the source package {wanted} cannot be had: the suite of RFC 7208 is left out")
    [package] = directory.glob("*.tar.gz")
    with tarfile.open(package) as archive:
        name = next(name for name in archive.getnames() if name.endswith("/test/rfc7208-tests.yml"))
        member = archive.extractfile(name)
        assert member is not None
        return member.read().decode()


async def failures(scenario: dict[str, Any], resolver: Resolver) -> list[str]:
    check = SpfCheck(SpfSettings(), resolver=resolver)
    failed = []
    for name, case in scenario["tests"].items():
        found = await check(spf_subject(case["host"], case["helo"], case["mailfrom"]))
        expected = case["result"] if isinstance(case["result"], list) else [case["result"]]
        if found.result not in expected:
            failed.append(f"{scenario['description']}: {name}: {found} instead of {expected}")
    return failed


async def test_every_case_by_library_call(
    scenarios: list[dict[str, Any]], score: Callable[[str, int, int], None]
) -> None:
    failed = []
    for scenario in scenarios:
        failed += await failures(scenario, TableResolver(suite_table(scenario["zonedata"])))
    score("spf/rfc7208-tests.yml by library call", CASES - len(failed), CASES)
    assert not failed


class Lacking(TableResolver):
    """All answers are at hand but that to one question."""

    lacks: Question | None = None

    def cached(self, name: str, rrtype: str) -> Answer | None:
        return None if (name.lower(), rrtype) == self.lacks else super().cached(name, rrtype)


async def test_every_case_is_known_from_answers_at_hand_and_none_where_one_lacks(
    scenarios: list[dict[str, Any]],
) -> None:
    for scenario in scenarios:
        resolver = Lacking(suite_table(scenario["zonedata"]), warm=True)
        for name, case in scenario["tests"].items():
            subject = spf_subject(case["host"], case["helo"], case["mailfrom"])
            resolver.asked, resolver.lacks = [], None
            known = SpfCheck(SpfSettings(), resolver=resolver).known(subject)
            assert known == await SpfCheck(SpfSettings(), resolver=resolver)(subject), name
            for question in set(resolver.asked):
                resolver.lacks = question
                assert SpfCheck(SpfSettings(), resolver=resolver).known(subject) is None, (name, question)


async def test_every_case_over_the_wire(
    scenarios: list[dict[str, Any]], score: Callable[[str, int, int], None]
) -> None:
    failed = []
    for scenario in scenarios:
        table = suite_table(scenario["zonedata"])
        patience = {"timeout": 0.2, "tries": 1} if Status.TIMEOUT in table.values() else {}
        async with DnsServer(table) as server:
            resolver = DnsResolver(DnsSettings(servers=(server.address,), **patience))
            failed += await failures(scenario, resolver)
            await resolver.close()
    score("spf/rfc7208-tests.yml over loopback DNS", CASES - len(failed), CASES)
    assert not failed


def test_the_suite_is_whole(scenarios: list[dict[str, Any]]) -> None:
    assert sum(len(scenario["tests"]) for scenario in scenarios) == CASES
