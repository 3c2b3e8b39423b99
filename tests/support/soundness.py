"""What must hold of a result, whatever it was made of: declared words, canonical domains, one printable line each."""

import json
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

from gateway.authres.field import AuthenticationResults, build, parse
from gateway.checks.base import Result, Unavailable
from gateway.delivery.outcome import Outcome
from gateway.facts import Fact, FactType, FactValue
from gateway.journey import Examination
from gateway.message import split_fields
from gateway.policy.spelling import objection
from gateway.recorder import message_record
from gateway.reply import reply
from gateway.system.logline import Style, json_line, text_line
from gateway.vocabulary import FACTS

DECLARED = {fact.name: fact for fact in FACTS}
TYPES: Mapping[FactType, tuple[type, ...]] = {
    FactType.STRING: (str,),
    FactType.NUMBER: (int, float),
    FactType.BOOLEAN: (bool,),
    FactType.STRINGS: (tuple,),
    FactType.ADDRESS: (IPv4Address, IPv6Address),
}
MAX_FIELD_LINE = 998  # RFC 5322 section 2.1.1
ACCEPTED = Outcome(reply=reply("250 2.0.0", "Ok"))

_line_re = re.compile(rb"[\x20-\x7e]*\Z")


def assert_sound(result: Result) -> None:
    """That a check's result can be read by rules, put into our field, and reported."""
    assert not isinstance(result, Unavailable), result
    assert_facts(result.facts())
    told = json.dumps(result.report(), allow_nan=False, ensure_ascii=False)
    assert told.isascii(), told
    assert "\\u00" not in told, told  # as control characters are escaped
    stated = AuthenticationResults("mx.example.org", result.authres())
    octets = build(stated)
    assert_field(octets)
    read = parse(octets).results
    assert [(one.method, one.result) for one in read] == [(one.method, one.result) for one in stated.results]


def assert_examination(found: Examination) -> None:
    """That all of an examination is sound: each result, the facts, our fields, and the line of the log."""
    for result in found.answers.results.values():
        assert_sound(result)
    assert_facts(found.facts)
    if found.stamped:
        for field in split_fields(found.stamped.header[: found.stamped.ours]):
            assert_field(field.raw)
    record = message_record(
        found.subject, found.answers, found.facts, found.verdict, ACCEPTED, steps={}, began=0.0, rules_digest=""
    )
    values = record.to_dict()
    for line in (json_line(0, "info", "m", "message", values), text_line(0, "info", "m", "m", values, Style.PLAIN)):
        assert line.isascii(), line
        assert line.isprintable(), line


def assert_facts(facts: Mapping[str, FactValue]) -> None:
    """That each fact is declared, of its type, one of its words where these are known, and spelled as declared."""
    for name, value in facts.items():
        fact = DECLARED[name]
        assert _is_of_type(fact, value), (name, value)
        words = value if isinstance(value, tuple) else (value,)
        assert not fact.values or set(words) <= set(fact.values), (name, value)
        assert not [word for word in words if isinstance(word, str) and objection(fact, word)], (name, value)


def assert_field(octets: bytes) -> None:
    """That these octets are one header field, folded, in printable ASCII."""
    *lines, end = octets.split(b"\r\n")
    assert end == b""
    assert all(map(_line_re.match, lines)), octets
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:]), octets
    assert max(map(len, lines)) <= MAX_FIELD_LINE


def _is_of_type(fact: Fact, value: FactValue) -> bool:
    if fact.type is FactType.STRINGS:
        return isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    return isinstance(value, TYPES[fact.type]) and isinstance(value, bool) is (fact.type is FactType.BOOLEAN)
