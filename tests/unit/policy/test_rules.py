"""Rules files: what they say, how the site's change the shipped ones, and that all problems are found at once."""

from pathlib import Path

import pytest

from gateway.facts import Stage
from gateway.policy.rule import RuleSet
from gateway.policy.rules import RulesError, load
from gateway.policy.verdict import Action, Mode
from tests.support.rulefacts import DECLARED, rule_set, written

SHIPPED = """
[[rule]]
id      = "spf-fail"
why     = "SPF fails"
when    = 'spf.result == "fail"'
then    = "reject"
reply   = "5.7.23 SPF of {sender.domain} forbids it"
example = [{ facts = { "spf.result" = "fail" }, match = true }]

[[rule]]
id    = "seen"
why   = "A score"
when  = 'spam.score > 1'
score = 1
"""


def with_site(directory: Path, site: str, shipped: str = SHIPPED) -> RuleSet:
    return load([written(directory / "shipped", shipped), written(directory / "site", site)], DECLARED)


def problems_of(directory: Path, text: str) -> list[str]:
    with pytest.raises(RulesError) as caught:
        rule_set(directory, text)
    return [str(problem).partition("10-test.toml:")[2] for problem in caught.value.problems]


def test_rule_is_read_as_written(tmp_path: Path) -> None:
    first, second = rule_set(tmp_path, SHIPPED).rules
    assert (first.id, first.hit.why, first.stage) == ("spf-fail", "SPF fails", Stage.MAIL)
    assert (first.action, first.hit.mode, first.hit.final) == (Action.REJECT, Mode.ENFORCE, False)
    assert (second.action, second.hit.score, second.stage) == (None, 1.0, Stage.SCORED)


def test_the_facts_that_rules_of_a_stage_or_before_it_read_are_known(tmp_path: Path) -> None:
    late = "[[rule]]\nid = 'late'\nwhy = 'x'\nwhen = 'arc.trusted'\nthen = 'tag'\nmode = 'shadow'"
    reads = rule_set(tmp_path, SHIPPED + late).reads
    assert [sorted(reads[stage]) for stage in Stage] == [
        [],
        [],
        ["sender.domain", "spf.result"],  # the reply's and the condition's
        ["sender.domain", "spf.result"],
        ["arc.trusted", "sender.domain", "spf.result"],
        ["arc.trusted", "sender.domain", "spam.score", "spf.result"],
    ]


def test_files_are_read_in_the_order_of_their_names_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for name in ("b.toml", "a.toml", ".c.toml", "d.toml~", "e.txt"):
        written(tmp_path, f"[[rule]]\nid = 'from-{name.strip('~')}'\nwhy = 'x'\nwhen = 'True'\nthen = 'tag'", name)
    assert [rule.id for rule in load([tmp_path], DECLARED).rules] == ["from-a.toml", "from-b.toml"]


def test_directory_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert load([tmp_path / "nothing"], DECLARED).rules == ()


def test_site_changes_only_the_keys_it_names(tmp_path: Path) -> None:
    rule = with_site(tmp_path, '[[rule]]\nid = "spf-fail"\nmode = "shadow"').rules[0]
    assert (rule.hit.mode, rule.action, len(rule.examples)) == (Mode.SHADOW, Action.REJECT, 1)
    assert rule.template
    assert rule.template.status == "550 5.7.23"


def test_site_switches_a_rule_off(tmp_path: Path) -> None:
    rules = with_site(tmp_path, '[[rule]]\nid = "spf-fail"\nenabled = false').rules
    assert [rule.id for rule in rules] == ["seen"]


def test_changed_action_drops_the_reply_and_changed_condition_the_examples(tmp_path: Path) -> None:
    rule = with_site(tmp_path, '[[rule]]\nid = "spf-fail"\nthen = "tag"\nwhen = "True"').rules[0]
    assert (rule.action, rule.template, rule.examples, rule.stage) == (Action.TAG, None, (), Stage.CONNECT)


def test_score_can_become_an_action(tmp_path: Path) -> None:
    rule = with_site(tmp_path, '[[rule]]\nid = "seen"\nthen = "reject"').rules[1]
    assert (rule.action, rule.hit.score) == (Action.REJECT, 0.0)


def test_change_of_an_unknown_rule_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(
        RulesError, match=r'site/10-test.toml:1:1: there is no rule "spf-fial".*did you mean "spf-fail"'
    ):
        with_site(tmp_path, '[[rule]]\nid = "spf-fial"\nenabled = false')


def test_problem_of_a_change_stands_in_the_file_that_made_it(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"site/10-test.toml:4:3: unknown fact"):
        with_site(tmp_path, '[[rule]]\nid = "spf-fail"\nwhen = """\n  spf.reslt == "x" """')


def test_rule_runs_when_its_facts_are_known_or_later_where_named(tmp_path: Path) -> None:
    rules = rule_set(tmp_path, SHIPPED.replace('then    = "reject"', 'then = "reject"\nstage = "rcpt"'))
    assert rules.readings[Stage.RCPT].rules == (rules.rules[0],)
    assert rules.readings[Stage.MAIL].rules == ()


def test_every_problem_of_every_file_is_found_at_once(tmp_path: Path) -> None:
    written(tmp_path, "rule = 1", "05-first.toml")
    written(tmp_path, "[[rule]", "06-second.toml")
    text = """\
[[rule]]
id     = "a"
whn    = "True"
then   = "tag"
[[rule]]
id     = "b"
why    = "x"
when   = '''spf.reslt == "fail"
   or spam.score == "x"'''
then   = "rejct"
mode   = "shadw"
stage  = "dta"
[[rule]]
id     = "b"
[[rule]]
why    = 1
[[rule]]
id     = "c"
then   = "accept"
score  = 2
reply  = "5.7.1 x"
when   = "total > 1"
[other]
"""
    with pytest.raises(RulesError) as caught:
        rule_set(tmp_path, text)
    found = [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]
    places = "3:1, 8:13, 9:21, 10:1, 11:1, 12:1, 14:1, 15:1, 16:1, 17:1, 20:1, 20:1, 21:1, 23:1"
    assert [line.split(" ")[0] for line in found] == [
        "05-first.toml:1:1:",
        "06-second.toml:1:7:",
        *(f"10-test.toml:{place}:" for place in places.split(", ")),
    ]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("then = 'tag'", '1:1: rule "x" needs "why"'),
        ("why = ''", 'it needs "then" or "score"'),
        ("why = ''\nthen = 'tag'\nscore = 1", "an action or a score, not both"),
        ("why = ''\nscore = true", "score is a number"),
        ("why = ''\nscore = 1001", "a score lies between -1000 and 1000"),
        ("why = ''\nscore = nan", "a score lies between"),
        ("why = ''\nthen = 'tag'\nfinal = true", "can be final"),
        ("why = ''\nthen = 'tag'\nreply = '5.7.1 x'", 'nobody is told about "tag"'),
        ("why = ''\nscore = 1\nreply = '5.7.1 x'", "gives no reply"),
        ("why = ''\nthen = 'reject'\nreply = '4.7.1 x'", "reject goes with codes that begin with 5"),
        ("why = ''\nthen = 'defer'\nreply = '5.7.1 x'", "defer goes with codes that begin with 4"),
        ("why = ''\nthen = 'reject'\nreply = 'no'", "a reply begins with an enhanced code"),
        ("why = ''\nthen = 'reject'\nreply = '5.7.1 {autor.domain}'", 'did you mean "author.domain"'),
        ("why = ''\nthen = 'reject'\nreply = '5.7.1 {author.domain}'", 'stage = "authenticated" makes the rule wait'),
        ("why = ''\nthen = 'reject'\nreply = '5.7.1 {'", "a brace itself is written"),
        ("why = ''\nthen = 'reject'\nreply = '250 5.7.1 x'", "250 is no code for reject"),
        ("why = ''\nthen = 'reject'\nreply = '5.7.1 ä'", "printable ASCII"),
        ("why = ''\nthen = 'tag'\nstage = 'connect'", "spf.result is known only at mail"),
        ("why = ''\nthen = 'tag'\nexample = [1]", "an example is a table"),
        ("why = ''\nthen = 'tag'\nexample = [{}]", "an example needs match"),
        ("why = ''\nthen = 'tag'\nexample = [{match=true, fcts={}}]", 'did you mean "facts"'),
        ("why = ''\nthen = 'tag'\nexample = [{match=true, facts={spf.reslt=1}}]", 'did you mean "spf.result"'),
        ("why = ''\nthen = 'tag'\nexample = [{match=true, facts={subject=1}}]", "subject is a text"),
        ("why = ''\nthen = 'tag'\nexample = [{match=true, facts={spam.score='1'}}]", "spam.score is a number"),
        ("why = ''\nthen = 'tag'\nexample = [{match=true, facts={client.ip='1'}}]", "client.ip is an IP address"),
        ("why = ''\nthen = 'tag'\nexample = [{match=true, facts={spf.result='fial'}}]", 'did you mean "fail"'),
    ],
)
def test_wrong_rule_is_a_problem(tmp_path: Path, rule: str, problem: str) -> None:
    found = problems_of(tmp_path, f"[[rule]]\nid = 'x'\nwhen = 'spf.result == \"fail\"'\n{rule}")
    assert any(problem in line for line in found), found


def test_total_may_not_be_added_to_by_what_reads_it(tmp_path: Path) -> None:
    found = problems_of(tmp_path, "[[rule]]\nid = 'x'\nwhy = 'x'\nwhen = 'total > 1'\nscore = 1")
    assert found == ["5:1: a rule that reads the total cannot add to it"]


def test_digest_tells_versions_apart(tmp_path: Path) -> None:
    first, again = rule_set(tmp_path, SHIPPED), rule_set(tmp_path, SHIPPED)
    other = rule_set(tmp_path, SHIPPED.replace("> 1", "> 2"))
    assert first.digest == again.digest != other.digest


def test_lists_stand_beside_the_rules_and_count_in_the_digest(tmp_path: Path) -> None:
    text = "[[rule]]\nid = 'x'\nwhy = 'x'\nwhen = 'author.domain in listed(\"partners\")'\nthen = 'tag'"
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "partners.txt").write_text("# ours\nExample.ORG  # a friend\n\n")
    rules = rule_set(tmp_path, text)
    assert rules.rules[0].condition.holds({**rules.absent, "author.domain": "example.org"})
    site = tmp_path / "site"
    site.mkdir()
    (site / "partners").write_text("other.example\n")
    changed = load([tmp_path], DECLARED, lists=[site])
    assert not changed.rules[0].condition.holds({**rules.absent, "author.domain": "example.org"})
    assert changed.digest != rules.digest


def test_broken_list_is_a_problem_of_the_rule_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "partners").write_bytes(b"a\n\xff\n")
    text = "[[rule]]\nid = 'x'\nwhy = 'x'\nwhen = 'subject in listed(\"partners\")'\nthen = 'tag'"
    (found,) = problems_of(tmp_path, text)
    assert found.startswith("4:27: this list cannot be used")
    assert "lists/partners:2:1: is not UTF-8" in found
