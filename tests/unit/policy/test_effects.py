"""What rules do beside an action or a score: read from the files, and carried in the verdict."""

from pathlib import Path

import pytest

from gateway.facts import Stage
from gateway.policy.decide import decide
from gateway.policy.rules import RulesError, load
from gateway.policy.verdict import Action, Edits, Verdict
from tests.support.rulefacts import DECLARED, rule_set, written


def rule(lines: str, when: str = "arc.trusted", name: str = "x") -> str:
    return f"[[rule]]\nid = '{name}'\nwhy = 'x'\nwhen = '''{when}'''\n{lines}\n"


def verdict(directory: Path, *rules: str, **facts: object) -> Verdict:
    loaded = rule_set(directory, "".join(rules))
    return decide(loaded, Stage, {"arc.trusted": True, **facts})  # type: ignore[dict-item]


def errors(directory: Path, text: str, routes: tuple[str, ...] | None = None) -> list[str]:
    with pytest.raises(RulesError) as raised:
        load([written(directory, text)], DECLARED, routes=routes)
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in raised.value.problems]


def test_effects_need_no_action(tmp_path: Path) -> None:
    decided = verdict(tmp_path, rule('add = { X-Class = "a" }'))
    assert (decided.action, decided.edits, decided.rules) == (Action.ACCEPT, Edits(added=(("X-Class", "a"),)), ("x",))


def test_effects_stand_beside_an_action(tmp_path: Path) -> None:
    decided = verdict(tmp_path, rule('then = "tag"\nremove = ["Reply-By", "X-Old"]'))
    assert (decided.action, decided.edits.removed) == (Action.TAG, {"reply-by", "x-old"})


def test_values_of_facts_are_filled_in_and_cleaned(tmp_path: Path) -> None:
    decided = verdict(
        tmp_path, rule('add = { X-Class = "from {author.domain}" }'), **{"author.domain": "a\r\nX-Spam: é"}
    )
    assert decided.edits.added == (("X-Class", "from a??X-Spam: ?"),)


def test_effects_of_all_matching_rules_are_had_and_the_first_prefix(tmp_path: Path) -> None:
    decided = verdict(
        tmp_path,
        rule('add = { X-A = "1" }\nprefix_subject_breaking_signatures = "[one]"', name="one"),
        rule('add = { X-A = "1", X-B = "2" }\nprefix_subject_breaking_signatures = "[two]"', name="two"),
    )
    assert decided.edits == Edits(added=(("X-A", "1"), ("X-B", "2")), prefix="[one]")


def test_rule_in_shadow_mode_has_no_effect(tmp_path: Path) -> None:
    decided = verdict(tmp_path, rule('add = { X-A = "1" }\nscan = "skip"\nmode = "shadow"'))
    assert (decided.edits, decided.unscanned_by, decided.rules) == (Edits(), "", ("x",))


def test_scan_is_skipped_by_a_rule_that_is_named(tmp_path: Path) -> None:
    assert verdict(tmp_path, rule('scan = "skip"')).unscanned_by == "x"


def test_route_is_chosen_at_rcpt(tmp_path: Path) -> None:
    assert verdict(tmp_path, rule('route = "bulk"', when="recipient.count == 0")).route == "bulk"


def test_of_routes_and_of_rules_that_skip_the_scan_the_first_counts(tmp_path: Path) -> None:
    lines = [f'route = "{route}"\nscan = "skip"' for route in ("one", "two")]
    both = [rule(text, when="recipient.count == 0", name=f"x{number}") for number, text in enumerate(lines)]
    decided = verdict(tmp_path, *both, rule('add = { X-A = "1" }', name="later"))
    assert (decided.route, decided.unscanned_by, decided.rules) == ("one", "x0", ("x0", "x1", "later"))


@pytest.mark.parametrize(
    "name",
    [
        "From",
        "received",
        "X-Spam-Flag",
        "X-Mailward-Tag",
        "ARC-Seal",
        "DKIM-Signature",
        "Content-Type",
        "Subject",
        "to",
    ],
)
@pytest.mark.parametrize("line", ['add = {{ "{}" = "x" }}', 'remove = ["{}"]'])
def test_protected_fields_are_left_alone(tmp_path: Path, name: str, line: str) -> None:
    (error,) = errors(tmp_path, rule(line.format(name)))
    assert error.endswith(f"rules leave {name} alone")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('add = { "X A" = "x" }', "5:9: 'X A' is not the name of a field"),
        ('add = { "X-A:" = "x" }', "5:9: 'X-A:' is not the name of a field"),
        ('add = { "" = "x" }', "5:9: '' is not the name of a field"),
        ('add = { X-A = "{nothing}" }', '5:9: unknown fact "nothing"'),
        ('add = { X-A = "{spam.score}" }', "5:9: spam.score is known only at scored"),
        ('add = { X-A = "a\\nb" }', "5:9: this is one line of at most 400 printable ASCII characters"),
        ("add = { X-A = 1 }", "5:9: the value of a field is a text"),
        ('remove = ["X-A", 1]', "5:18: 1 is not the name of a field"),
        ('remove = "X-A"', "5:1: remove is an array of texts"),
        ('add = ["X-A"]', "5:1: add is a table of texts"),
        ('scan = "never"', '5:1: scan is not "never"'),
        ('prefix_subject_breaking_signatures = "a\\nb"', "5:1: a prefix is at most 40 printable ASCII characters"),
        ('prefix_subject_breaking_signatures = " "', "5:1: a prefix is at most 40 printable ASCII characters"),
        ('route = "other"', "5:1: recipients are verified at rcpt, and this rule is read at authenticated"),
        ('add_field = { X = "x" }', '5:1: unknown key "add_field"'),
    ],
)
def test_wrong_effect_is_an_error_at_its_place(tmp_path: Path, line: str, error: str) -> None:
    assert error in errors(tmp_path, rule(line))


def test_scan_cannot_be_skipped_once_it_is_done(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, rule('scan = "skip"', when="spam.score > 5"))
    assert error == "5:1: by the time that this rule is read the message has been scored"


def test_route_must_be_one_that_is_configured(tmp_path: Path) -> None:
    text = rule('route = "blk"', when="recipient.count > 5")
    assert errors(tmp_path, text, ("default", "bulk")) == ["5:1: there is no [route.blk]"]
    assert load([written(tmp_path, text.replace("blk", "bulk"))], DECLARED, routes=("bulk",)).rules
