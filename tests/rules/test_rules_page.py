"""docs/rules.md: its tables are those of the declarations, and its examples are rules."""

import re
from contextlib import closing
from pathlib import Path

from gateway import config
from gateway.casebook import objections, read_casebook, unscored
from gateway.inspection import Inspector
from gateway.policy.examples import failures
from gateway.policy.functions import FUNCTIONS
from gateway.policy.language import compile_condition
from gateway.policy.rules import load
from gateway.policy.shipped import shipped_rules
from gateway.vocabulary import FACTS
from tests.support.journeys import NOW, settings_of
from tests.support.rulefacts import written
from tests.support.rulespage import PAGE, current

BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
RULES = [text for text in BLOCKS if text.startswith("[[rule]]")]
CASES = [text for text in BLOCKS if text.startswith("[[case]]")]
SETTINGS = [text for text in BLOCKS if text not in RULES + CASES]
LEAST = 'hostname = "mx.example.org"\ndomains = ["example.org"]\n[route.default]\nhosts = ["maildir:///var/mail"]\n'
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
