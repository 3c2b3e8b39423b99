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
        "(spam.score > 5 is true with spam.score = 7; not arc.trusted is false with arc.trusted = True)"
    )


def of_rules(directory: Path, *rules: str) -> list[str]:
    """What is said about rules: "id: when -> then, more lines", without that they have no examples."""
    tables = []
    for rule in rules:
        name, _, rest = rule.partition(": ")
        when, _, acts = rest.partition(" -> ")
        then, *more = acts.split(", ")
        tables.append(f"[[rule]]\nid = '{name}'\nwhy = 'x'\nwhen = '''{when}'''\nthen = '{then}'\n" + "\n".join(more))
    found = [str(warning).partition(".toml:")[2] for warning in lint(rule_set(directory, "\n".join(tables)))]
    return [line for line in found if "has no example" not in line]


def test_rule_that_contradicts_itself_is_warned_of(tmp_path: Path) -> None:
    (found,) = of_rules(tmp_path, "x: spam.score > 5 and spam.score < 5 -> tag")
    assert found == '4:11: "x" can never match (it contradicts itself)'


def test_alternative_that_contradicts_itself_is_warned_of(tmp_path: Path) -> None:
    (found,) = of_rules(tmp_path, "x: spam.score > 5 or (arc.trusted and not arc.trusted) -> tag")
    assert found == "4:30: this alternative can never hold (it contradicts itself)"


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (["a: spam.score > 1 -> accept, final=true", "b: spam.score > 2 -> reject"], ["b"]),
        (["a: arc.trusted -> accept, final=true", "b: arc.trusted and spam.score > 2 -> reject"], ["b"]),
        (["b: spam.score > 2 -> reject", "a: spam.score > 1 -> accept, final=true"], []),
        (["a: spam.score > 2 -> accept, final=true", "b: spam.score > 1 -> reject"], []),
        (["a: spam.score > 1 -> accept, final=true, mode='shadow'", "b: spam.score > 2 -> reject"], []),
        (["a: spam.score > 1 -> accept", "b: spam.score > 2 -> reject"], []),
        (["a: spam.score > 1 -> quarantine", "b: spam.score > 2 -> tag"], ["b"]),
        (["b: spam.score > 2 -> tag", "a: spam.score > 1 -> quarantine"], ["b"]),
        (["b: total > 2 -> tag", "a: total > 1 -> quarantine"], ["b"]),
        (["a: spam.score > 2 -> quarantine", "b: spam.score > 1 -> tag"], []),
        (["a: spam.score > 1 -> quarantine, mode='shadow'", "b: spam.score > 2 -> tag"], []),
        (["a: spam.score > 1 -> quarantine", "b: spam.score > 2 -> tag, mode='shadow'"], []),
        (["a: spam.score > 1 -> reject", "b: spam.score > 2 -> reject"], ["b"]),
        (["b: spam.score > 2 -> reject", "a: spam.score > 1 -> reject"], []),  # its reply is the one that is given
        (["a: spam.score > 1 -> tag", "b: spam.score > 2 -> tag"], []),  # its name stands in the field
        (["b: recipient.count > 2 -> defer", "a: recipient.count > 1 -> reject, stage='scored'"], []),  # it comes first
        (["b: spam.score > 3 -> tag", "f: spam.score < 9 -> accept, final=true", "a: spam.score > 1 -> reject"], []),
        (["a: True -> accept, final=true", "b: spam.score > 2 -> reject"], ["b"]),
    ],
)
def test_rule_that_others_leave_nothing_is_warned_of(tmp_path: Path, rules: list[str], told: list[str]) -> None:
    found = [line for line in of_rules(tmp_path, *rules) if "is never read" in line or "never decides" in line]
    assert [line.split('"')[1] for line in found] == told


def test_idle_rule_is_told_with_the_one_that_leaves_it_nothing(tmp_path: Path) -> None:
    (found,) = of_rules(tmp_path, "a: spam.score > 1 -> accept, final=true", "b: spam.score > 2 -> reject")
    assert found == f'10:1: "b" is never read: "a" matches wherever it would (see {tmp_path}/10-test.toml:4)'


def test_failure_without_an_answer_is_warned_of(tmp_path: Path) -> None:
    refusing = 'a: spf.result == "fail" and spam.score > 5 -> reject'
    assert of_rules(tmp_path, refusing) == [
        f'4:11: "a" needs spf.result, and no rule says what follows where that is "{word}" '
        '(then = "accept" says that nothing does)'
        for word in ("temperror", "unavailable")
    ]
    answer = 'b: spf.result in ("temperror", "unavailable") -> accept'
    assert of_rules(tmp_path, refusing, answer) == []
    shadow = 'b: spf.result in ("temperror", "unavailable") -> accept, mode="shadow"'
    assert len(of_rules(tmp_path, refusing, shadow)) == 2


def test_failure_matters_only_where_a_severe_rule_needs_the_check(tmp_path: Path) -> None:
    assert of_rules(tmp_path, 'a: spf.result == "fail" -> tag') == []
    assert of_rules(tmp_path, 'a: spf.result == "fail" or spam.score > 5 -> reject') == []
    assert of_rules(tmp_path, "a: spf.result == 'fail' -> reject, mode='shadow'") == []
