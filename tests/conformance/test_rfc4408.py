"""Older SPF suites of openspf, for regressions: that of RFC 4408, and pyspf's own. Where they ask for something else
than RFC 7208, the difference stands here with its reason."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.checks.spf import SpfCheck, SpfSettings
from tests.support.dnstable import TableResolver
from tests.support.spfcase import spf_subject, suite_table

pytestmark = pytest.mark.suites

Differences = dict[str, tuple[str, str]]  # by the name of a case: what we say, and why

NO_DEFAULT = "default= is a modifier of drafts before RFC 4408: unknown, and so without effect (RFC 7208 section 6)"

SUITES: dict[str, tuple[int, Differences]] = {
    "rfc4408-tests.yml": (191, {}),
    "test.yml": (
        16,
        {"default-modifier": ("neutral", NO_DEFAULT), "default-modifier-harsh": ("neutral", NO_DEFAULT)},
    ),
}


async def results(scenarios: list[dict[str, Any]]) -> dict[str, tuple[str, list[str]]]:
    """By the name of a case what we say, and what the suite takes."""
    said = {}
    for scenario in scenarios:
        check = SpfCheck(SpfSettings(), resolver=TableResolver(suite_table(scenario["zonedata"])))
        for name, case in scenario["tests"].items():
            found = await check(spf_subject(case["host"], case["helo"], case["mailfrom"] or ""))
            expected = case["result"] if isinstance(case["result"], list) else [case["result"]]
            said[name] = (found.result.value, expected)
    return said


@pytest.mark.parametrize("suite", SUITES)
async def test_every_case_but_for_the_known_differences(
    suites: Path, score: Callable[[str, int, int], None], suite: str
) -> None:
    cases, differences = SUITES[suite]
    said = await results(list(yaml.safe_load_all((suites / "spf" / suite).read_text())))
    other = {name: result for name, (result, expected) in said.items() if result not in expected}
    score(f"spf/{suite} by library call", len(said) - len(other), cases)
    assert len(said) == cases
    assert other == {name: result for name, (result, _) in differences.items()}
