"""Slips of people who write rules files, beside the shipped rules: where each is told, and what to do about it."""

import os
from pathlib import Path

import pytest

from gateway.policy.lint import lint
from gateway.policy.rules import RulesError, load
from gateway.policy.shipped import shipped_rules
from gateway.vocabulary import FACTS


def told(directory: Path, octets: bytes) -> list[str]:
    """Every problem, or else every warning that a file of the site causes."""
    site = directory / "rules.d"
    (site / "lists").mkdir(parents=True)
    (site / "lists" / "partners").write_text("example.org\n")
    (site / "10.toml").write_bytes(octets)
    try:
        found = lint(load([shipped_rules(), site], FACTS, routes=["default", "lists"]))
    except RulesError as error:
        found = error.problems
    return [str(problem).rpartition("/rules.d/10.toml:")[2] for problem in found if "/rules.d/10" in str(problem)]


def rule(when: str, more: str = 'then = "tag"') -> bytes:
    """The condition begins in line 4, column 9; what follows it in line 5."""
    return f'[[rule]]\nid = "x"\nwhy = "x"\nwhen = \'{when}\'\n{more}\n'.encode()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[rules]]\nid = "a"\n', '1:1: unknown key "rules" (a rules file holds [[rule]] tables and nothing else)'),
        ('[rule]\nid = "a"\n', "1:1: each rule is a table of its own (write [[rule]])"),
        ('[[rule]\nid = "a"\n', "1:7: expected ']]' at the end of an array declaration (a rule begins with [[rule]])"),
        ('[[rule]]\nid = "a\nwhy = "x"\n', "2:8: illegal character '\\n' (the quotation mark that ends the text is "),
        ("[[rule]]\nthen = reject\n", "2:8: invalid value (a text stands in quotation marks)"),
        ("[[rule]]\nfinal = True\n", "2:9: invalid value (true and false are in lower case)"),
        ("[[rule]]\nenabled = no\n", "2:11: invalid value (write true or false)"),
        ("[[rule]]\nid = “a”\n", "2:6: invalid value (quotation marks are straight: \" or ')"),
        (
            '[[rule]]\nwhen = "spf.result == "fail""\n',
            "2:24: expected newline or end of document after a statement (a te",
        ),
        ("[[rule]]\nwhy = 'don't'\n", "2:12: expected newline or end of document after a statement (a text with ' in"),
        (
            "[[rule]]\nwhen = '''\n  dkim.partial\nthen = \"tag\"\n",
            "2:8: expected \"'''\" (the text that begins here h",
        ),
        ('[[rule]]\nid: "a"\n', "2:3: expected '=' after a key in a key/value pair (write = in place of the colon)"),
        (
            '- id: "a"\n',
            "1:3: expected '=' after a key in a key/value pair (a rule begins with [[rule]], and not with a",
        ),
        (
            '[[rule]]\nid = "a",\n',
            "2:9: expected newline or end of document after a statement (no comma ends a line, ex",
        ),
        ('[[rule]]\nid = "a" why = "x"\n', "2:10: expected newline or end of document after a statement (each key "),
        ('[[rule]]\nremove = ["A" "B"]\n', "2:15: unclosed array (a comma or the ] is missing before this)"),
        ("[[rule]]\nexample = [ { match = true facts = {} } ]\n", "2:28: unclosed inline table (a comma or the } is m"),
        (
            "[[rule]]\nexample = [ { match = true,\n facts = {} } ]\n",
            "2:28: invalid initial character for a key part (a",
        ),
        ("// mine\n", "1:1: invalid statement (a comment begins with #)"),
        ('[[rule]]\nid = "a" ; mine\n', "2:10: expected newline or end of document after a statement (a comment begi"),
        ('[[rule]]\nid = "a"\nid = "b"\n', "3:9: cannot overwrite a value (it stands there twice; or [[rule]] is miss"),
        (
            "[[rule]]\nwhen = \"matches(subject, r'\\d')\"\n",
            "2:30: unescaped '\\' in a string (a text with backslashes",
        ),
        (
            "[[rule]]\nscore = 2,5\n",
            "2:10: expected newline or end of document after a statement (such a number is writ",
        ),
        ("[[rule]]\nscore = .5\n", "2:9: invalid value (a number has a digit before the point)"),
        ("[[rule]]\nwhy = 'a\tb\x00'\n", "2:11: found invalid character '\\x00' (a text has no control characters)"),
    ],
)
def test_slips_of_toml(tmp_path: Path, text: str, problem: str) -> None:
    [found] = told(tmp_path, text.encode())
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        (
            'sender == "a@b"',
            '9: unknown fact "sender" (did you mean "sender.address", "sender.domain" or "sender.null"',
        ),
        ('helo == "x"', '9: unknown fact "helo" (did you mean "client.helo" or "spf.helo"?)'),
        ('ip in net("192.0.2.1")', '9: unknown fact "ip" (did you mean "client.ip"?)'),
        ('from.domain == "x"', "9: from cannot stand in a condition (the From field is author.domain, author.address)"),
        ('header.subject == "x"', '9: unknown fact "header.subject" (write header("subject"))'),
        ('header("Subject") == "x"', '30: "strings" == "string": these types cannot be compared so (write "x" in hea'),
        ('contains(subject, "x")', '9: unknown function "contains" (write "text" in subject)'),
        ('re.search("x", subject)', '9: unknown function "re.search" (write matches(subject, r"..."))'),
        ('subject.lower() == "x"', '9: unknown function "subject.lower" (write lower(subject))'),
        ('subject.startswith("x")', '9: unknown function "subject.startswith" (write startswith(subject, ...))'),
        ('spf.result = "fail"', '20: = cannot stand in a condition (write "==")'),
        ("dkim.partial && arc.trusted", '22: && cannot stand in a condition (write "and")'),
        ('"a && b" in subject || arc.trusted', '29: || cannot stand in a condition (write "or")'),
        ("!dkim.partial", '9: ! cannot stand in a condition (write "not")'),
        ("dkim.partial AND arc.trusted", "22: AND cannot stand in a condition (and, or, not, in are in lower case)"),
        ("subject =~ /x/", '17: =~ cannot stand in a condition (write matches(subject, r"..."))'),
        ("spam.score => 5", '20: => cannot stand in a condition (write "<=" or ">=")'),
        ("message.size > 10MB", "24: 10MB cannot stand in a condition (a number has no unit: 10_000_000)"),
        (
            "spam.score > 5,5",
            "9: a tuple holds texts, or numbers, and at least one (a number has a point, no comma: 5.5)",
        ),
        ("spf.result == “fail”", "23: “ cannot stand in a condition (quotation marks are straight"),
        ('subject == "& more', "20: unterminated string literal"),
        ("(dkim.partial", "9: '(' was never closed"),
        ('dkim.partial or matches(subject, "\\d")', "43: invalid escape sequence '\\d' (write r\"...\" for"),
        (
            'client.ip == "192.0.2.1"',
            '22: "address" == "string": these types cannot be compared so (write client.ip in net("',
        ),
        (
            'recipients != "a@b"',
            '23: "strings" != "string": these types cannot be compared so (write "a@b" not in recipien',
        ),
        (
            'spf.result == ("fail", "none")',
            '23: "string" == "strings": these types cannot be compared so (write spf.re',
        ),
        (
            'dkim.partial == "true"',
            '25: "boolean" == "string": these types cannot be compared so (write dkim.partial, or ',
        ),
        (
            'dkim.domains in listed("partners")',
            '25: "strings" in "list": these types cannot be compared so (write under',
        ),
        ('spf.result in ["fail"]', "23: a list in [] cannot stand in a condition (write a tuple, in parentheses)"),
        ('recipients[0] == "x"', '9: an index cannot stand in a condition (write "..." in the name of the fact)'),
        ("spam.score + 2 > 5", "9: arithmetic cannot stand in a condition (compare with a number: spam.score > 5)"),
        (
            'matches(subject, r"(?=x)")',
            "26: not a regular expression of RE2: invalid perl operator: (?= (RE2 has no loo",
        ),
        (
            'matches(subject, r"(a)\\1")',
            "26: not a regular expression of RE2: invalid escape sequence: \\1 (RE2 has no lo",
        ),
        ('under(author.domain, "*.example.org")', '30: "*.example.org" is not a domain (did you mean "example.org"?)'),
        ('under(author.domain, "@example.org")', '30: "@example.org" is not a domain (did you mean "example.org"?)'),
        ('author.domain == "Example.ORG"', '26: author.domain is never "Example.ORG" (write "example.org")'),
        (
            'author.domain in ("müller.example",)',
            '27: author.domain is never "müller.example" (write "xn--mller-kva.ex',
        ),
        ('sender.address == "Ann@example.org"', '27: sender.address is never "Ann@example.org" (write "ann@example.or'),
        ('"Ann@example.org" in recipients', '9: recipients is never "Ann@example.org" (write "ann@example.org")'),
        ('".EXE" in attachments.suffixes', '9: attachments.suffixes is never ".EXE" (write "exe")'),
        ('now.date == "24.12.2026"', '21: now.date is never "24.12.2026" (it is a date such as 2026-12-24)'),
        ('now.weekday in ("Sunday",)', '25: now.weekday is never "Sunday" (did you mean "sunday"?)'),
    ],
)
def test_slips_of_conditions(tmp_path: Path, when: str, problem: str) -> None:
    found = told(tmp_path, rule(when))
    assert found[0].startswith(f"4:{problem}")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('action = "tag"', '5:1: unknown key "action" (did you mean "then"?)'),
        ('if = "x"', '5:1: unknown key "if" (did you mean "when"?)'),
        ('prefix = "[spam]"', '5:1: unknown key "prefix" (did you mean "prefix_subject_breaking_signatures"?)'),
        ('then = "drop"', '5:1: then is not "drop" (it is one of accept, tag, quarantine, defer, reject)'),
        ('then = "tag"\nscore = 1', "6:1: a rule has an action or a score, not both (make two rules of it)"),
        ('score = "2.5"', "5:1: score is a number (without quotes)"),
        ('then = "tag"\nenabled = "no"', "6:1: enabled is true or false (without quotes)"),
        ('remove = "X-A"', '5:1: remove is an array of texts (["X-A", "X-B"])'),
        ("add = { X-A = 1 }", "5:9: the value of a field is a text (in quotes)"),
        ('route = "nothing"', "5:1: there is no [route.nothing] (there is [route.default], [route.lists])"),
        ('then = "reject"\nreply = "550 no"', "6:1: a reply begins with an enhanced code (such as "),
        ('then = "reject"\nreply = "5.7.1 {author.domian}"', '6:1: unknown fact "author.domian" (did you mean "author'),
        (
            'then = "tag"\nexample = [ { match = true, facts = { author.domain = "Example.ORG" } } ]',
            '6:39: author.domain is never "Example.ORG" (write "example.org")',
        ),
    ],
)
def test_slips_of_keys(tmp_path: Path, more: str, problem: str) -> None:
    assert told(tmp_path, rule("dkim.partial or sender.null", more))[0].startswith(problem)


def test_what_follows_from_a_wrong_condition_is_not_told_beside_it(tmp_path: Path) -> None:
    """Nobody knows at which stage it is read, so nothing is said of what is known by then."""
    more = 'then = "reject"\nreply = "5.7.1 {subject}"\nscan = "skip"\nroute = "lists"\nadd = { X-A = "{spam.score}" }'
    assert told(tmp_path, rule("subjct == 1", more)) == ['4:9: unknown fact "subjct" (did you mean "subject"?)']


def test_id_of_other_characters_is_told_with_one_that_would_do(tmp_path: Path) -> None:
    [found] = told(tmp_path, rule("dkim.partial").replace(b'"x"', b'"My Rule!"', 1))
    assert found.endswith('(such as "my-rule")')


@pytest.mark.parametrize("when", ["True", "spam.score > 3 or spam.score <= 3", "not (arc.trusted and not arc.trusted)"])
def test_rule_that_would_refuse_everything_is_warned_of(tmp_path: Path, when: str) -> None:
    assert '4:9: "x" matches every message (it names no case)' in told(tmp_path, rule(when, 'then = "reject"'))


def test_rule_that_does_something_mild_to_everything_is_not(tmp_path: Path) -> None:
    assert not [line for line in told(tmp_path, rule("True", 'add = { X-A = "x" }')) if "every message" in line]


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        (rule("spf.reslt == 1").replace(b"\n", b"\r\n"), "4:9: unknown fact"),
        (b"\xef\xbb\xbf" + rule("spf.reslt == 1"), "4:9: unknown fact"),
        (rule("\tspf.reslt == 1"), "4:10: unknown fact"),
        (rule('"ü" in subject and spf.reslt == 1'), "4:28: unknown fact"),
        (rule("dkim.partial").decode().encode("utf-16"), "1:1: is not UTF-8 (save the file as UTF-8)"),
        (rule('subject == "ü"').decode().encode("latin-1"), "4:21: is not UTF-8 (save the file as UTF-8)"),
        (b"# long\n" * 700_000, "1:1: is larger than 4194304 octets"),
    ],
)
def test_ways_of_writing_files(tmp_path: Path, octets: bytes, problem: str) -> None:
    [found] = told(tmp_path, octets)
    assert found.startswith(problem)


@pytest.mark.parametrize("octets", [b"", b"\n# nothing\n", b"\xef\xbb\xbf"])
def test_file_without_rules_is_right(tmp_path: Path, octets: bytes) -> None:
    assert told(tmp_path, octets) == []


def test_files_that_cannot_be_read_are_told_and_none_is_waited_for(tmp_path: Path) -> None:
    site = tmp_path / "rules.d"
    site.mkdir()
    (site / "10-loop.toml").symlink_to("10-loop.toml")
    (site / "20-nothing.toml").symlink_to("nowhere.toml")
    (site / "30-directory.toml").mkdir()
    os.mkfifo(site / "40-pipe.toml")
    (site / ".#50-editor.toml").symlink_to("somebody@somewhere")
    (site / "60-right.toml~").write_text("no TOML")
    with pytest.raises(RulesError) as caught:
        load([site], FACTS)
    found = [str(problem).rpartition("/")[2] for problem in caught.value.problems]
    assert [line.partition(":")[0] for line in found] == [
        "10-loop.toml",
        "20-nothing.toml",
        "30-directory.toml",
        "40-pipe.toml",
    ]
    assert all("cannot be read" in line for line in found)
