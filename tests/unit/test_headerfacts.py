"""header("NAME") in conditions: which field values rules see."""

from pathlib import Path

import pytest

from gateway.facts import Stage
from gateway.headerfacts import MAX_VALUES, header_fact, header_facts
from gateway.policy.language import ConditionError
from gateway.policy.rules import load
from gateway.vocabulary import FACTS
from tests.support.dnstable import TableResolver
from tests.support.journeys import LETTER, walking
from tests.support.mailbytes import message_of
from tests.support.rulefacts import condition, rule_set, written

RULE = """
[[rule]]
id = "bulk"
why = "x"
when = '''matches(header("X-Mailer"), r"(?i)bulk")'''
then = "tag"
example = [
  { match = true, facts = { header.x-mailer = ["My Bulk"] } },
  { match = true, facts = { "header.x-mailer" = ["other", "bulk"] } },
  { match = false, facts = {} },
]
"""


def test_values_are_decoded_and_those_of_all_fields_of_the_name() -> None:
    message = message_of(b"X-A: =?utf-8?q?caf=C3=A9?=\r\nx-a :\r\n two\r\nX-B: other\r\n\r\n")
    assert header_facts(message, {"header.x-a", "header.x-c", "subject"}) == {
        "header.x-a": ("café", "two"),
        "header.x-c": (),
    }


def test_number_and_size_have_bounds() -> None:
    message = message_of((b"A: " + b"x" * 5000 + b"\r\n") * 100 + b"\r\n")
    (values,) = header_facts(message, {"header.a"}).values()
    assert isinstance(values, tuple)
    assert len(values) == MAX_VALUES
    assert max(map(len, values)) <= 1000


def test_condition_reads_the_fact_of_the_field() -> None:
    compiled = condition('"yes" in header("X-Flag") and len(header("x-flag")) == 1')
    assert compiled.facts == ("header.x-flag",)
    assert compiled.named == {"header.x-flag": header_fact("X-Flag")}
    assert compiled.holds({"header.x-flag": ("yes",)})
    assert not compiled.holds({"header.x-flag": ()})


@pytest.mark.parametrize("name", ["X Mailer", "", "X-Mailer:", "ä", "a\\nb", "x" * 100])
def test_what_is_no_name_of_a_field_is_an_error(name: str) -> None:
    with pytest.raises(ConditionError, match="is not the name of a header field"):
        condition(f'len(header("{name}")) > 0')


@pytest.mark.parametrize("call", ["header(subject)", "header()", 'header("a", "b")'])
def test_name_is_one_quoted_text(call: str) -> None:
    with pytest.raises(ConditionError):
        condition(f"len({call}) > 0")


def test_examples_name_the_fields_that_the_rule_reads(tmp_path: Path) -> None:
    rules = load([written(tmp_path, RULE)], FACTS)
    assert rules.absent["header.x-mailer"] == ()
    assert rules.rules[0].stage is Stage.AUTHENTICATED
    with pytest.raises(Exception, match=r'unknown fact "header\.x-other"'):
        rule_set(tmp_path, RULE.replace("header.x-mailer =", "header.x-other ="))


async def test_rule_decides_by_a_field(tmp_path: Path) -> None:
    async with walking(tmp_path, TableResolver({}), rules=RULE) as walk:
        await walk.connect()
        await walk.send(LETTER)
        await walk.send(b"X-Mailer: BULK 1.0\r\n" + LETTER)
    assert ["bulk" in record.rules for record in walk.records] == [False, True]
