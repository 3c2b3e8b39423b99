"""Lint: what is said about rules that are right but unwise, and about examples that are not kept."""

from pathlib import Path

import pytest

from gateway.policy.lint import lint
from tests.support.rulefacts import rule_set

EXAMPLE = "example = [{ match = false, facts = { subject = 'never' } }]"


def warnings(directory: Path, when: str, then: str = "reject", more: str = "") -> list[str]:
    text = f"[[rule]]\nid = 'x'\nwhy = 'x'\nwhen = '''{when}'''\nthen = '{then}'\n{more}"
    return [str(warning).partition(".toml:")[2] for warning in lint(rule_set(directory, text))]


@pytest.mark.parametrize(
    "when",
    [
        'spf.result != "pass" and subject == "x"',
        'spf.result not in ("pass", "softfail")',
        'not (spf.result == "pass") and subject == "x"',
        'spf.result in ("fail", "temperror")',
        'subject == "x" or spf.result == "unavailable"',
        'not (arc.trusted or spf.result == "pass") and subject == "x"',
        'spam.score > 5 and not (spf.result == "pass" and under(author.domain, "partner.example"))',
    ],
)
def test_reject_without_a_definite_fail_is_warned_of(tmp_path: Path, when: str) -> None:
    found = warnings(tmp_path, when)
    assert any("can reject where spf.result is" in line for line in found)


@pytest.mark.parametrize(
    "when",
    [
        'spf.result == "fail"',
        'spf.result == "fail" and spf.result != "none"',
        'spf.result in ("fail",) or spam.score > 15',
        'not spf.result != "fail"',
        "not arc.trusted and spam.score > 5",
    ],
)
def test_reject_on_a_definite_fail_is_not(tmp_path: Path, when: str) -> None:
    assert not [line for line in warnings(tmp_path, when) if "can reject" in line]


def test_milder_actions_may_rest_on_anything(tmp_path: Path) -> None:
    assert not [line for line in warnings(tmp_path, 'spf.result != "pass"', "tag") if "can reject" in line]


def test_warning_points_at_the_part_of_the_condition(tmp_path: Path) -> None:
    found = warnings(tmp_path, 'subject == "x"\n  and spf.result != "pass"')
    assert found[0].startswith("5:7: ")


def test_rule_without_example_is_warned_of(tmp_path: Path) -> None:
    assert "has no example" in warnings(tmp_path, "spam.score > 5")[0]
    assert warnings(tmp_path, "spam.score > 5", more=EXAMPLE) == []


def test_example_that_is_not_kept_is_explained(tmp_path: Path) -> None:
    more = "example = [{ match = true, facts = { spam.score = 7, arc.trusted = true } }]"
    (found,) = warnings(tmp_path, "spam.score > 5 and not arc.trusted", more=more)
    assert found == (
        '6:12: example says that "x" matches, it does not '
        "(spam.score > 5 is true with spam.score = 7; arc.trusted is true with arc.trusted = True)"
    )
