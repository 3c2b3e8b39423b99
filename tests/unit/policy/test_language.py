"""Conditions: what they mean, and what is said about texts that are none."""

import math
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.facts import FactType, FactValue
from gateway.policy.language import MAX_CONDITION, ConditionError, explain
from tests.support.rulefacts import ABSENT, BY_NAME, condition


def holds(text: str, **facts: FactValue) -> bool:
    named = {name.replace("__", "."): value for name, value in facts.items()}
    return condition(text).holds({**ABSENT, **named})


@pytest.mark.parametrize(
    ("text", "facts", "expected"),
    [
        ('spf.result == "fail"', {"spf__result": "fail"}, True),
        ('spf.result == "fail"', {}, False),
        ('spf.result != "fail" and not arc.trusted', {}, True),
        ('spf.result in ("fail", "softfail")', {"spf__result": "softfail"}, True),
        ('spf.result not in ("fail",)', {"spf__result": "fail"}, False),
        ("spam.score >= 3", {"spam__score": 3}, True),
        ("spam.score > -1.5", {"spam__score": -2.0}, False),
        ("1 <= recipient.count < 5", {"recipient__count": 5}, False),
        ("recipient.count in (1, 2)", {"recipient__count": 2}, True),
        ("arc.trusted", {"arc__trusted": True}, True),
        ("arc.trusted == False", {}, True),
        ('arc.trusted or (spam.score > 1 and subject == "x")', {"spam__score": 2, "subject": "x"}, True),
        ("True", {}, True),
        ('"BAYES_99" in spam.symbols', {"spam__symbols": ("HTML", "BAYES_99")}, True),
        ('"BAYES" in spam.symbols', {"spam__symbols": ("HTML", "BAYES_99")}, False),
        ('"offer" in lower(subject)', {"subject": "Free OFFER"}, True),
        ('author.domain in (sender.domain, "x")', {"author__domain": "a", "sender__domain": "a"}, True),
        ('under(author.domain, "example.org")', {"author__domain": "example.org"}, True),
        ('under(author.domain, ".Example.ORG.")', {"author__domain": "mail.example.org"}, True),
        ('under(author.domain, "example.org")', {"author__domain": "badexample.org"}, False),
        ("under(author.domain, sender.domain)", {"author__domain": "a.b", "sender__domain": "b"}, True),
        ("under(author.domain, sender.domain)", {}, False),
        ('under(author.domain, "Müller.example")', {"author__domain": "a.xn--mller-kva.example"}, True),
        ('under(recipients, "example.org")', {"recipients": ("a@example.net", "b@example.org")}, True),
        ('under(recipients, "example.org")', {"recipients": ("b@lists.example.org",)}, True),
        ('under(recipients, "example.org")', {"recipients": ("example.org@example.net", "a@badexample.org")}, False),
        ('under(recipients, listed("partners"))', {"recipients": ("a@example.org",)}, True),
        ('under(recipients, listed("partners"))', {"recipients": ("example.org@example.net",)}, False),
        ('under(author.domain, listed("partners"))', {"author__domain": "mail.partner.example"}, True),
        ('under(author.domain, listed("partners"))', {"author__domain": "partner.example.com"}, False),
        ('author.domain in listed("partners")', {"author__domain": "example.org"}, True),
        ('author.domain not in listed("partners")', {"author__domain": "mail.example.org"}, True),
        (r'matches(subject, r"(?i)\bunpaid\s+invoice")', {"subject": "Your UNPAID  invoice"}, True),
        (r'matches(subject, r"^\S+$")', {"subject": "two words"}, False),
        ('matches(subject, "ü")', {"subject": "für"}, True),
        ('matches(recipients, r"^info@")', {"recipients": ("a@b", "info@b")}, True),
        ('startswith(client.helo, "[")', {"client__helo": "[192.0.2.1]"}, True),
        ('endswith(recipients, "@b")', {"recipients": ("a@c", "a@b")}, True),
        ('endswith(recipients, "@b")', {}, False),
        ('domain(client.helo) == "b"', {"client__helo": "a@b"}, True),
        ("len(recipients) > 1 or len(subject) == 3", {"subject": "abc"}, True),
        ('client.ip in net("192.0.2.0/24", "2001:db8::/32")', {"client__ip": ip_address("192.0.2.9")}, True),
        ('client.ip in net("192.0.2.0/24", "2001:db8::/32")', {"client__ip": ip_address("2001:db8::9")}, True),
        ('client.ip in net("192.0.2.0/24")', {"client__ip": ip_address("::ffff:192.0.2.9")}, True),
        ('client.ip in net("192.0.2.1")', {"client__ip": ip_address("192.0.2.2")}, False),
        ('client.ip not in net("0.0.0.0/0")', {"client__ip": ip_address("::1")}, True),
        ("arc.trusted  # a comment\n or\n # another\n True", {}, True),
        ("(arc.trusted) or (True)", {}, True),
    ],
)
def test_condition_means_what_it_says(text: str, facts: dict[str, FactValue], expected: bool) -> None:
    assert holds(text, **facts) is expected


@pytest.mark.parametrize(
    ("text", "offset", "message", "hint"),
    [
        ('spf.reslt == "fail"', 0, 'unknown fact "spf.reslt"', 'did you mean "spf.result"?'),
        ('arc.trusted and\n  spf == "fail"', 18, 'unknown fact "spf"', 'did you mean "spf.result"?'),
        ('"ä" == subject and x.y', 19, 'unknown fact "x.y"', ""),
        ("true", 0, 'unknown fact "true"', 'did you mean "True"?'),
        ('spf.result == "hardfail"', 14, 'spf.result is never "hardfail"', "it is one of|did you mean"),
        ('spf.result in ("pass", "fial")', 23, 'spf.result is never "fial"', 'did you mean "fail"?'),
        ('spf.result in ("pass")', 15, "this is a text, not a tuple", '("pass",)'),
        ("spam.score", 0, "spam.score is not true or false, it is a number", "compare it"),
        ('arc.trusted and "x"', 16, '"x" is not true or false', "compare it"),
        ('spam.score == "3"', 14, '"number" == "string"', "without quotes"),
        ('client.ip == "192.0.2.1"', 13, '"address" == "string"', 'in net("192.0.2.1")'),
        ('client.ip in ("192.0.2.1",)', 13, '"address" in "strings"', "in net("),
        ("subject < 'x'", 10, '"string" < "string"', ""),
        ("author.domain in subject", 17, "only a quoted text can be looked for", ""),
        ('"" in subject', 6, "only a quoted text can be looked for", ""),
        ('spf.result is "pass"', 14, '"is" compares no values', "write =="),
        ("spf.result == None", 14, "None cannot stand in a condition", ""),
        ("spam.score + 1 > 2", 0, "arithmetic cannot stand in a condition", ""),
        ("-spam.score > 2", 0, "the only sign is a minus before a number", ""),
        ("recipient.count in ()", 19, "a tuple holds texts, or numbers", ""),
        ("recipient.count in [1]", 19, "a list in []", ""),
        ('recipient.count in (1, "x")', 19, "a tuple holds texts, or numbers", ""),
        ("spam.score < 1e999", 13, "1e999 cannot stand in a condition", ""),
        ('undre(subject, "x")', 0, 'unknown function "undre"', 'did you mean "under"?'),
        ('subject.startswith("x")', 0, 'unknown function "subject.startswith"', "write startswith(subject, ...)"),
        ("under(subject)", 0, "the arguments are under(domain, parent)", "such as"),
        ("under(domain=subject, parent='x')", 0, "the arguments are under(domain, parent)", "such as"),
        ("lower(recipients) == 'x'", 6, "text is a string, not a strings", "such as"),
        ("matches(subject, subject)", 17, "regex must be a quoted text", "such as"),
        ('matches(subject, "(")', 17, "not a regular expression of RE2", ""),
        (r'matches(subject, "\d")', 18, "invalid escape sequence", 'r"..."'),
        (r'matches(subject, r"(?=x)")', 17, "not a regular expression of RE2", ""),
        ('client.ip in net("192.0.2.1/24")', 17, '"192.0.2.1/24" is not a network', '"192.0.2.0/24"'),
        ('client.ip in net("x")', 17, '"x" is not a network', "such as"),
        ("client.ip in net()", 13, "the arguments are net(network, ...)", "such as"),
        ('author.domain in listed("partnres")', 24, 'there is no list "partnres"', 'did you mean "partners"?'),
        ('author.domain in listed("xyzzy")', 24, 'there is no list "xyzzy"', "a file of that name in lists/"),
        ('under(author.domain, "")', 21, '"" is not a domain', ""),
        ("arc.trusted && arc.trusted", 12, "&& cannot stand", 'write "and"'),
        ("arc.trusted and", 15, "invalid syntax", ""),
        ("a) or (b", 0, "unbalanced parentheses", ""),
        ("", 0, "there is no condition", ""),
        (" # nothing", 0, "a tuple holds", ""),
        ("under", 0, '"under" is a function', "such as"),
        ("x" * (MAX_CONDITION + 1), 0, "longer than", "lists/"),
    ],
)
def test_wrong_condition_is_explained_at_its_place(text: str, offset: int, message: str, hint: str) -> None:
    with pytest.raises(ConditionError) as caught:
        condition(text)
    fault = caught.value.faults[0]
    assert fault.message.startswith(message)
    assert any(part in fault.hint for part in hint.split("|"))
    assert fault.offset == offset


def test_every_fault_is_found() -> None:
    with pytest.raises(ConditionError) as caught:
        condition('spf.reslt == "x" and (spf.result == "x" or lamda(1)) and spam.score')
    assert [fault.offset for fault in caught.value.faults] == [0, 36, 43, 57]


def test_facts_of_a_condition_are_known() -> None:
    assert condition('spam.score > 1 and under(author.domain, "x")').facts == ("author.domain", "spam.score")


def test_explain_gives_each_part_with_its_value_and_facts() -> None:
    parts = explain(condition('not (spf.result == "pass"\n  or spam.score > 3)'), {**ABSENT, "spam.score": 4.0})
    assert [(part.text, part.value, part.facts) for part in parts] == [
        ('spf.result == "pass"', False, (("spf.result", "none"),)),
        ("spam.score > 3", True, (("spam.score", 4.0),)),
    ]


_ATOMS = (
    'spf.result == "fail"',
    'spf.result not in ("pass", "none")',
    "1 < spam.score <= 3",
    "spam.score == recipient.count",
    "arc.trusted",
    '"x" in subject',
    '"x" in recipients',
    'matches(subject, r"(a+)+$")',
    'matches(recipients, ".")',
    'under(author.domain, listed("partners"))',
    "under(author.domain, sender.domain)",
    'startswith(spam.symbols, "B")',
    'domain(subject) == "x"',
    "len(recipients) > 2",
    'client.ip in net("10.0.0.0/8", "2001:db8::/32")',
    "author.domain in (subject, sender.domain)",
    'lower(subject) != "x"',
)
_conditions = st.recursive(
    st.sampled_from(_ATOMS),
    lambda inner: (
        st.tuples(inner, st.sampled_from((" and ", " or ")), inner).map(lambda parts: f"({''.join(parts)})")
        | inner.map(lambda text: f"not {text}")
    ),
    max_leaves=8,
)
_VALUES: dict[FactType, st.SearchStrategy[FactValue]] = {
    FactType.STRING: st.text(st.characters(), max_size=20),  # with lone surrogates
    FactType.NUMBER: st.integers() | st.floats(),
    FactType.BOOLEAN: st.booleans(),
    FactType.STRINGS: st.lists(st.text(st.characters(), max_size=5), max_size=3).map(tuple),
    FactType.ADDRESS: st.ip_addresses(),
}
_facts = st.fixed_dictionaries({name: _VALUES[fact.type] for name, fact in BY_NAME.items()})


@given(_conditions, _facts)
def test_no_condition_raises_on_any_facts(text: str, facts: dict[str, FactValue]) -> None:
    compiled = condition(text)
    assert compiled.holds(facts) in (True, False)
    assert len(explain(compiled, facts)) >= 1


@given(_conditions)
def test_a_part_explains_the_whole(text: str) -> None:
    compiled = condition(text)
    assert compiled.whole.holds is compiled.holds
    leaves = [part.text for part in compiled.whole.leaves()]
    assert all(leaf in text for leaf in leaves)


def test_not_a_number_is_neither_more_nor_less() -> None:
    assert not holds("spam.score > 0 or spam.score <= 0", spam__score=math.nan)
