"""Directories of messages with their expected verdict."""

from pathlib import Path

import pytest

from gateway.casebook import CasebookError, objections, read_casebook, unscored
from gateway.cli import main
from gateway.inspection import Inspector
from tests.support.journeys import LETTER, NOW, settings_of
from tests.support.rulefacts import written

RULES = """
[[rule]]
id = "spf"
why = "x"
when = 'spf.result == "fail" and subject == "A letter"'
then = "reject"

[[rule]]
id = "score"
why = "x"
when = "total > 20"
then = "defer"
"""
CASES = """
[[case]]
file = "letter.eml"
ip = "192.0.2.7"
helo = "mail.sender.example"
mail_from = "ann@sender.example"
rcpt = ["alice@example.org"]
action = "accept"

[[case]]
file = "letter.eml"
ip = "198.51.100.1"
mail_from = "<ann@sender.example>"
action = "reject"
rules = ["spf"]

[[case]]
file = "letter.eml"
ip = "192.0.2.7"
mail_from = "ann@sender.example"
facts = { spam.score = 21.0 }
action = "defer"
rules = ["score"]

[dns]
"sender.example" = { TXT = ["v=spf1 ip4:192.0.2.7 -all"] }
"""


def directory(path: Path, cases: str = CASES) -> Path:
    for name in ("rules.d", "messages"):
        (path / name).mkdir(exist_ok=True)
    (path / "rules.d" / "10.toml").write_text(RULES)
    (path / "messages" / "letter.eml").write_bytes(LETTER)
    (path / "messages" / "cases.toml").write_text(cases)
    return path / "messages"


async def told(path: Path, cases: str = CASES) -> list[str]:
    book = read_casebook(directory(path, cases))
    settings = settings_of(path).model_copy()
    settings = settings.model_copy(update={"rules": settings.rules.model_copy(update={"shipped": False})})
    inspector = Inspector(unscored(settings), resolver=book.dns, clock=lambda: NOW)
    try:
        return [
            str(problem).partition("cases.toml:")[2]
            for case in book.cases
            for problem in await objections(inspector, case)
        ]
    finally:
        inspector.close()


def problems(path: Path, cases: str) -> list[str]:
    with pytest.raises(CasebookError) as raised:
        read_casebook(directory(path, cases))
    return [str(problem).partition("cases.toml:")[2] for problem in raised.value.problems]


async def test_messages_that_are_judged_as_expected_are_not_told(tmp_path: Path) -> None:
    assert await told(tmp_path) == []


async def test_other_action_is_told_with_the_rules_that_matched(tmp_path: Path) -> None:
    (line,) = await told(tmp_path, CASES.replace('"accept"', '"tag"'))
    assert line == '8:1: "letter.eml": tag was expected, it is accept (rules that match: none)'


async def test_rule_that_does_not_match_is_explained(tmp_path: Path) -> None:
    (line,) = await told(tmp_path, CASES.replace('rules = ["spf"]', 'rules = ["spf", "score"]'))
    assert line == '15:1: "letter.eml": the rule "score" does not match (total > 20 is false with total = 0.0)'


async def test_total_is_explained_as_it_was_added_up(tmp_path: Path) -> None:
    cases = CASES.replace("spam.score = 21.0", "spam.score = 19.5").replace('"defer"', '"accept"')
    (line,) = await told(tmp_path, cases)
    assert line.endswith('the rule "score" does not match (total > 20 is false with total = 19.5)')


async def test_rule_that_is_not_there_is_told(tmp_path: Path) -> None:
    (line,) = await told(tmp_path, CASES.replace('rules = ["spf"]', 'rules = ["spff"]'))
    assert 'the rule "spff" does not match (did you mean "spf"?)' in line


CASE = '[[case]]\nfile = "letter.eml"\nip = "192.0.2.7"\naction = "accept"\n'


@pytest.mark.parametrize(
    ("cases", "problem"),
    [
        (CASE + "colour = 1\n", '5:1: unknown key "colour"'),
        (CASE + "rcpt = 1\n", "5:1: rcpt is an array of texts"),
        (CASE + "rcpt = [1]\n", "5:1: rcpt is an array of texts"),
        (CASE + 'rcpt = ["no address"]\n', "1:1: "),
        (CASE.replace("192.0.2.7", "192.0.2"), '3:1: "192.0.2" is no IP address'),
        (CASE + 'to = ["alice@example.org"]', '5:1: unknown key "to" (did you mean "rcpt"?)'),
        ("", "1:1: there is no case (each message has a table [[case]])"),
        (CASE.replace("accept", "acept"), '4:1: action is not "acept" (did you mean "accept"?)'),
        (CASE.replace("letter", "other"), "2:1: other.eml cannot be read: No such file or directory"),
        (CASE.replace('action = "accept"', ""), '1:1: a case needs "action"'),
        (CASE + "facts = { spam.scroe = 1 }\n", '5:11: unknown fact "spam.scroe" (did you mean "spam.score"?)'),
        ("[case]\n", "1:1: each case is a table of its own (write [[case]])"),
        ("[cases]\n", '1:1: unknown key "cases" (there are [[case]] tables and [dns])'),
        ("dns = 1\n", "1:1: dns is a table of names"),
        ('[dns]\n"a.example" = { TXT = "x" }\n', '1:1: "x" is neither a list of records nor one of servfail, timeout'),
        ("case = ", "1:8: invalid value"),
    ],
)
def test_wrong_casebook_is_told_with_its_place(tmp_path: Path, cases: str, problem: str) -> None:
    (line,) = problems(tmp_path, cases)
    assert line.startswith(problem)


def test_command_counts_messages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    messages = directory(tmp_path, CASES.replace('action = "defer"', 'action = "tag"'))
    config = tmp_path / "mailward.toml"
    config.write_text(
        f'hostname = "mx.example.org"\ndomains = ["example.org"]\nstate_directory = "{tmp_path}"\n'
        f'[rules]\nshipped = false\nsite = "{tmp_path}/rules.d"\n[route.default]\nhosts = ["maildir://{tmp_path}/mail"]\n'
    )
    assert main(["rules", "test", "--config", str(config), "--messages", str(messages)]) == 1
    printed = capsys.readouterr()
    assert printed.out == "2 of 3 messages are judged as expected\n"
    assert printed.err.startswith(f'{messages}/cases.toml:22:1: "letter.eml": tag was expected, it is defer')
    (messages / "cases.toml").write_text(CASES)
    assert main(["rules", "test", "--config", str(config), "--messages", str(messages)]) == 0
    other = written(tmp_path / "next", RULES.replace("> 20", "> 22"))
    assert main(["rules", "test", "--config", str(config), "--messages", str(messages), "--rules", str(other)]) == 1
    assert '"letter.eml": defer was expected, it is accept' in capsys.readouterr().err
    (messages / "cases.toml").write_text("nonsense")
    assert main(["rules", "test", "--config", str(config), "--messages", str(messages)]) == 2
