"""docs/rules.md: its tables are those of the declarations, and its examples are rules."""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway import config
from gateway.casebook import objections, read_casebook, unscored
from gateway.cli import main
from gateway.inspection import Inspector
from gateway.journal import feedback
from gateway.journal.feedback import Feedback, Kind
from gateway.policy.examples import failures
from gateway.policy.functions import FUNCTIONS
from gateway.policy.language import compile_condition
from gateway.policy.rules import load
from gateway.policy.shipped import shipped_rules
from gateway.record import Record
from gateway.vocabulary import FACTS
from tests.support.journal import FOUND, journal_at, record_of
from tests.support.journal import NOW as JOURNAL_NOW
from tests.support.journeys import NOW, settings_of
from tests.support.rulefacts import written
from tests.support.rulespage import PAGE, current

BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
RULES = [text for text in BLOCKS if text.startswith("[[rule]]")]
CASES = [text for text in BLOCKS if text.startswith("[[case]]")]
SETTINGS = [text for text in BLOCKS if text not in RULES + CASES]
LEAST = 'hostname = "mx.example.org"\ndomains = ["example.org"]\n[route.default]\nhosts = ["maildir:///var/mail"]\n'
CONSOLE = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
SCORING = {
    2: ("ann@sender.example", "quarantine", 13.0),
    3: ("zoe@sender.example", "tag", 13.0),
    4: ("bob@sender.example", "quarantine", 13.0),
}
INVOICE = b"From: billing@example.net\r\nSubject: Your invoice\r\n\r\nSee below.\r\n"


def test_tables_of_the_page_are_current() -> None:
    assert PAGE.read_text() == current(), "write it anew: python -m tests.support.rulespage"


def test_rules_of_the_page_can_be_used_beside_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "newsletters").write_text("news.example\n")
    read = [shipped_rules()]
    for number, text in enumerate(RULES):  # some change the same rule, so each has its own directory
        read.append(written(tmp_path / str(number), text))
    rules = load(read, FACTS, lists=[tmp_path / "lists"], routes=["default"])
    assert failures(rules) == ()
    assert "spf-fail" not in {rule.id for rule in rules.rules}


def test_settings_of_the_page_are_settings(tmp_path: Path) -> None:
    assert SETTINGS
    for text in SETTINGS:
        (tmp_path / "mailward.toml").write_text(LEAST + text)
        config.load(tmp_path / "mailward.toml")


async def test_cases_of_the_page_are_judged_as_they_say(tmp_path: Path) -> None:
    (tmp_path / "invoice.eml").write_bytes(INVOICE)
    for text in CASES:
        (tmp_path / "cases.toml").write_text(text)
        book = read_casebook(tmp_path)
        with closing(Inspector(unscored(settings_of(tmp_path)), resolver=book.dns, clock=lambda: NOW)) as inspector:
            assert [problem for case in book.cases for problem in await objections(inspector, case)] == []


def test_the_replay_on_the_page_prints_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [block] = [block for block in CONSOLE if block.startswith("$ mailward rules replay ")]
    [text] = [text for text in RULES if "bulk-mailer" in text]
    command, *printed = block.splitlines()
    written(tmp_path / "next", text)
    (tmp_path / "mailward.toml").write_text(f'state_directory = "{tmp_path}"\n{LEAST}')
    with journal_at(f"sqlite://{tmp_path}/journal.db") as journal:
        journal.write(*(replayable(number) for number in range(1, 21)))
    arguments = command.replace("7d", "2026-11-01").replace("/srv/rules.next", str(tmp_path / "next")).split()[2:]
    assert main([*arguments, "--config", str(tmp_path / "mailward.toml")]) == 1
    assert capsys.readouterr().out.splitlines() == printed


def test_the_statistics_on_the_page_are_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [block] = [block for block in CONSOLE if block.startswith("$ mailward rules stats --since ")]
    command, *shown = block.splitlines()
    (tmp_path / "mailward.toml").write_text(f'state_directory = "{tmp_path}"\n{LEAST}')
    with journal_at(f"sqlite://{tmp_path}/journal.db") as journal:
        journal.write(*map(tunable, range(1, 401)))
        feedback.note(journal.database, list(said_of(range(1, 401))))
    arguments = command.replace("7d", "2026-11-01").split()[2:]
    assert main([*arguments, "--config", str(tmp_path / "mailward.toml")]) == 0
    printed = iter(capsys.readouterr().out.splitlines())
    for line in shown:
        beginning = line.removesuffix("...")
        assert any(each.startswith(beginning) if beginning != line else each == line for each in printed), line


def tunable(number: int) -> Record:
    """Of four messages one is spam, with scores from 3 to 25, and one ham, with scores from -1 to 5.75."""
    score = {0: 3.0 + number % 23, 1: number % 28 / 4 - 1}.get(number % 4, number % 50 / 10)
    spf = "fail" if number % 4 == 0 and number % 3 else "pass"
    facts = FOUND | {"dmarc.result": "none", "spam.score": score, "spf.result": spf}
    return record_of(id=f"m{number}", began=JOURNAL_NOW + number, facts=facts)


def said_of(numbers: Iterable[int]) -> Iterator[Feedback]:
    kinds = {0: Kind.SPAM, 1: Kind.HAM}
    for number in numbers:
        if kind := kinds.get(number % 4):
            yield Feedback(began=JOURNAL_NOW + 500, verdict=kind, source="learn", id=f"m{number}")


def replayable(number: int) -> Record:
    """The page's messages: three that score 13 points, and one without DMARC's pass that scores 1."""
    sender, action, score = SCORING.get(number, ("ann@sender.example", "accept", 1.0))
    facts = FOUND | {"dmarc.result": "none" if number == 20 else "pass", "spam.score": score}
    known: dict[str, Any] = {"sender": sender, "action": action, "recipients": ("alice@example.org",)}
    return record_of(id=f"m{number}", began=JOURNAL_NOW + number, facts=facts, **known)


def test_advice_in_the_shipped_files_can_be_followed(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "partners").write_text("example.org\n")
    for path in shipped_rules().glob("*.toml"):
        for number, text in enumerate(
            re.findall(r"(?:^#     .*\n)+", path.read_text().replace("#\n", "#     \n"), re.MULTILINE)
        ):
            written(tmp_path, re.sub(r"^#     ?", "", text, flags=re.MULTILINE), f"{path.stem}-{number}.toml")
    assert {"known-partners", "spam-reject"} <= {rule.id for rule in load([shipped_rules(), tmp_path], FACTS).rules}


def test_example_of_each_function_is_a_condition_or_part_of_one() -> None:
    declared = {fact.name: fact for fact in FACTS}
    for function in FUNCTIONS.values():
        compile_condition(function.example, declared, {"partners": frozenset()})
