"""Rules files that try to do more than to say something about mail: each gives problems, and nothing else happens."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.facts import Stage
from gateway.policy.keys import KEYS
from gateway.policy.language import ConditionError
from gateway.policy.rules import RulesError, load
from gateway.policy.source import Fault
from gateway.policy.template import TemplateError, parse_template
from gateway.policy.verdict import Action
from gateway.tomlfile import Unreadable, parse
from tests.support.rulefacts import ABSENT, BY_NAME, DECLARED, condition, written


def faults(text: str) -> tuple[Fault, ...]:
    """What is wrong with a condition; nothing, if it is one and can be evaluated."""
    try:
        compiled = condition(text)
    except ConditionError as error:
        return error.faults
    assert compiled.holds(ABSENT) in (True, False)
    return ()


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "subject.__class__.__mro__",
        "facts",
        "_1",
        "__builtins__",
        "(lambda: True)()",
        "[x for x in subject]",
        "any(x for x in spam.symbols)",
        "(y := True)",
        "9 ** 9 ** 9 > 1",
        "'x' * 10**9 == subject",
        "f'{subject}' == 'x'",
        "subject[0] == 'x'",
        "subject == b'x'",
        "'{0.__class__}'.format(subject) == 'x'",
        "matches(subject, 'x'.join(subject))",
        "under(*recipients)",
        "under(**recipients)",
        "eval('1')",
        "len.__self__",
        "True if arc.trusted else False",
        "await arc.trusted",
        "(yield)",
        "... == ...",
        "1j == spam.score",
        "arc.trusted); import os; (True",
        "arc.trusted)\nimport os\n(True",
        "arc.trusted \x00",
        "'\ud800' == subject",
        "matches(subject, '\\ud800')",
        "author.domain in listed('../../etc/passwd')",
        "matches(subject, r'((a{100}){100}){100}')",
        "matches(subject, r'" + "(" * 3000 + "')",
        "not " * 1500 + "True",
        "-" * 6000 + "1 < spam.score",
        "(" * 150 + "arc.trusted",
        "(" * 4000 + "True" + ")" * 4000,
        "spf" + ".x" * 3000,
        "9" * 5000 + " > spam.score",
        "9" * 400 + " > spam.score",
        "-" + "9" * 400 + " > spam.score",
        "True and (" * 60 + "True" + ")" * 60 + " and (True or " * 0,
        "lower(" * 80 + "subject" + ")" * 80 + " == 'x'",
        "arc.trusted if" * 500,
        '"' * 7,
        "'''x",
    ],
)
def test_escape_is_refused(text: str) -> None:
    assert faults(text)


def test_many_parentheses_that_mean_nothing_do_no_harm() -> None:
    assert condition("(" * 150 + "True" + ")" * 150).holds(ABSENT)


def test_wide_condition_is_compiled() -> None:
    assert not condition(" or ".join(["arc.trusted"] * 500)).holds(ABSENT)


PIECES = """
( ) [ ] { } , . : ; = == != < <= in not is and or lambda if else for := ** * - ~ @ \\ ' " ''' # f' b' r'
spf.result subject arc.trusted under( matches( net( listed( len( 1 1e9 0x 'x' True None __class__ _1
"""
_pieces = st.sampled_from([*PIECES.split(), "\n", "\r", "\t", "\x0c", "\u2028", "ä", "\U0001f600"])


@given(st.lists(_pieces | st.text(st.characters(), max_size=3), max_size=30).map(" ".join))
@example("a\x0cb == \r\n 'x\r'")
def test_any_text_is_a_condition_or_has_faults_within_it(text: str) -> None:
    assert all(0 <= fault.offset <= len(text) for fault in faults(text))


@given(st.text(st.characters(), max_size=60), st.sampled_from(Action))
@example("5.7.1 {subject.__class__}", Action.REJECT)
@example("5.7.1 {subject!r}", Action.REJECT)
@example("5.7.1 {subject:>99999999}", Action.REJECT)
@example("5.7.1 {0}", Action.REJECT)
@example("5.7.1 {}", Action.REJECT)
@example("5.7.1 {{x}} {subject}", Action.REJECT)
def test_any_reply_is_one_printable_line_or_refused(text: str, action: Action) -> None:
    try:
        template = parse_template(text, action, Stage.SCORED, BY_NAME)
    except TemplateError:
        return
    filled = template.fill({**ABSENT, "subject": "x\r\n250 ok\x00\x7f\u2028" * 1000})
    octets = filled.to_bytes()
    assert octets.count(b"\r\n") == 1
    assert len(octets) <= 512
    assert all(0x20 <= octet < 0x7F for octet in octets[:-2])


@given(st.binary(max_size=80))
@example(b"a=1\n[[rule]]\nid='x'\n" * 2)
@example(b"\xef\xbb\xbfa=1")
@example(b"a = 1e400\nb=" + b"[" * 3000)
def test_any_octets_are_a_file_or_one_problem(octets: bytes) -> None:
    with contextlib.suppress(Unreadable):
        parse(octets, "f")


VALUES = """
1 -1 nan inf 1e999 true '' 'x' 'reject' [] [1] {} 1979-05-27 'True' 'total>1' 'connect' 'accept' 'shadow' [{}]
[{facts={},match=1}] [{facts={spf={result='x'}},match=true}] [{facts={subject=1},match=true}]
[{facts={client={ip='x'}},match=true}] {X-A='{subject}'} {X-A=1} {From='x'} {''='x'} ['X-A'] ['From'] [1] 'skip'
"""
_anything = st.sampled_from([*VALUES.split(), "9" * 400, "'5.7.1 {'"])
_keys = st.sampled_from([*KEYS, "x"])


@given(st.lists(st.dictionaries(_keys, _anything), max_size=3))
def test_any_tables_are_rules_or_problems(
    tmp_path_factory: pytest.TempPathFactory, tables: list[dict[str, str]]
) -> None:
    text = "\n".join("[[rule]]\n" + "\n".join(f"{key} = {value}" for key, value in table.items()) for table in tables)
    with contextlib.suppress(RulesError):
        load([written(tmp_path_factory.mktemp("rules"), text)], DECLARED)


def test_file_that_names_itself_a_directory_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "10-dir.toml").mkdir()
    with pytest.raises(RulesError, match=r"10-dir\.toml:1:1: cannot be read"):
        load([tmp_path], DECLARED)
