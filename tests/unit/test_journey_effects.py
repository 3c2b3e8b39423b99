"""What rules do beside their actions, on a message's whole way: fields, the subject, no scoring."""

from pathlib import Path

from gateway.checks.spamd import SpamdCheck, SpamdSettings
from gateway.message import split_fields
from gateway.scoring.hosts import SpamdHost
from tests.support.dnstable import TableResolver
from tests.support.journeys import LETTER, walking

DEAD_SPAMD = SpamdSettings(hosts=(SpamdHost(address="127.0.0.1:1"),), connect_timeout=1.0)


def rule(lines: str, when: str = "True", name: str = "x") -> str:
    return f"[[rule]]\nid = '{name}'\nwhy = 'x'\nwhen = '''{when}'''\n{lines}\n"


async def test_fields_are_added_above_and_removed_below(tmp_path: Path) -> None:
    rules = rule('add = { X-Class = "by {author.domain}" }\nremove = ["Reply-By"]', 'author.domain != ""')
    async with walking(tmp_path, TableResolver({}), rules=rules) as walk:
        await walk.connect()
        assert (await walk.send(b"Reply-By: never\r\nX-Class: forged\r\n" + LETTER)).startswith("250 ")
        [delivered] = walk.delivered()
    fields = split_fields(delivered)
    assert [field.value for field in fields if field.name == "x-class"] == [b" by sender.example", b" forged"]
    assert not [field for field in fields if field.name == "reply-by"]
    assert delivered.endswith(LETTER)


async def test_subject_is_prefixed_for_the_reader_and_not_for_the_checks(tmp_path: Path) -> None:
    rules = rule('prefix_subject_breaking_signatures = "[outside]"') + rule(
        "then = 'tag'", 'subject == "A letter"', "seen"
    )
    async with walking(tmp_path, TableResolver({}), rules=rules) as walk:
        await walk.connect()
        await walk.send()
        [delivered] = walk.delivered()
    assert b"\r\nSubject: [outside] A letter\r\n" in delivered
    assert {"x", "seen"} <= set(walk.recorded().rules)


async def test_rule_has_spamd_not_asked_and_says_so(tmp_path: Path) -> None:
    rules = rule('scan = "skip"', 'subject == "A letter"', "newsletter")
    async with walking(tmp_path, TableResolver({}), rules=rules) as walk:
        walk.with_wave("scoring", SpamdCheck(DEAD_SPAMD))
        await walk.connect()
        await walk.send()
        await walk.send(LETTER.replace(b"A letter", b"Another"))
        exempt, other = walk.delivered()
    assert b"X-Mailward-Unscored: exempt: newsletter\r\n" in exempt
    assert b"X-Mailward-Unscored: unavailable\r\n" in other
    first, second = walk.records
    assert (first.results["spam"], first.unscanned_by) == ("exempt", "newsletter")
    assert "unscored" not in first.rules
    assert (second.results["spam"], second.unscanned_by) == ("unavailable", "")
