"""docs/rules.md: its tables are those of the declarations, and its examples are rules."""

import re
from pathlib import Path

from gateway.policy.examples import failures
from gateway.policy.functions import FUNCTIONS
from gateway.policy.language import compile_condition
from gateway.policy.rules import load
from gateway.policy.shipped import shipped_rules
from gateway.vocabulary import FACTS
from tests.support.rulefacts import written
from tests.support.rulespage import PAGE, current

RULES = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_tables_of_the_page_are_current() -> None:
    assert PAGE.read_text() == current(), "write it anew: python -m tests.support.rulespage"


def test_rules_of_the_page_can_be_used_beside_the_shipped_ones(tmp_path: Path) -> None:
    for number, text in enumerate(RULES):
        written(tmp_path, text, f"{number}.toml")
    rules = load([shipped_rules(), tmp_path], FACTS)
    assert failures(rules) == ()
    assert "spf-fail" not in {rule.id for rule in rules.rules}


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
