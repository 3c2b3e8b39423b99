"""ARC validation over a real DNS server on loopback: ValiMail's suite, with the keys asked for and not handed in."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gateway.checks.arc import ArcCheck, ArcSettings
from gateway.system.dns import DnsResolver, DnsSettings
from tests.support.dnsserver import DnsServer
from tests.support.mailbytes import subject_of, wire

pytestmark = pytest.mark.suites

CASES = 171


async def test_valimail_validation_over_the_wire(suites: Path, score: Callable[[str, int, int], None]) -> None:
    wrong, total = [], 0
    for scenario in yaml.safe_load_all((suites / "arc/valimail/arc-draft-validation-tests.yml").read_text()):
        zone = {(name, "TXT"): [text.encode()] for name, text in scenario["txt-records"].items()}
        async with DnsServer(zone) as server:
            resolver = DnsResolver(DnsSettings(servers=(server.address,)))
            check = ArcCheck(ArcSettings(), resolver=resolver, clock=time.time)
            for name, case in scenario["tests"].items():
                total += 1
                result = await check(subject_of(wire(case["message"])))
                expected = (case["cv"] or "fail").lower()  # an empty one stands for a chain that has ended, cv=fail
                if result.result.value != expected:
                    wrong.append(f"{name}: {result.result} instead of {expected}")
            await resolver.close()
    score("ARC validation, ValiMail, over loopback DNS", total - len(wrong), total)
    assert wrong == []
    assert total == CASES
