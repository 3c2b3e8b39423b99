"""Glossaries: which facts there were, and so which were recorded."""

from ipaddress import ip_address

from gateway.facts import Fact, FactType, Stage, all_plain, plain
from gateway.journal.glossary import Glossary
from gateway.vocabulary import FACTS

ADDRESS = Fact("client.ip", FactType.ADDRESS, Stage.CONNECT, "", ip_address("0.0.0.0"))
NAMES = Fact("names", FactType.STRINGS, Stage.AUTHENTICATED, "", ())
SCORE = Fact("score", FactType.NUMBER, Stage.SCORED, "", 0.0)


def test_a_glossary_comes_back_as_it_was() -> None:
    glossary = Glossary.of(FACTS)
    again = Glossary.parse(glossary.to_text())
    assert again.terms == glossary.terms
    assert again.digest == glossary.digest


def test_another_declaration_makes_another_glossary() -> None:
    other = Fact("score", FactType.NUMBER, Stage.AUTHENTICATED, "", 0.0)
    digests = {Glossary.of(facts).digest for facts in ([SCORE], [other], [SCORE, NAMES], [])}
    assert len(digests) == 4


def test_the_order_of_declarations_makes_no_difference() -> None:
    assert Glossary.of([SCORE, NAMES]).digest == Glossary.of([NAMES, SCORE]).digest


def test_facts_come_back_with_their_types() -> None:
    facts = {"client.ip": ip_address("2001:db8::1"), "names": ("a", "b"), "score": 1.0, "header.to": ("x",)}
    assert Glossary.of([ADDRESS, NAMES, SCORE]).restored(all_plain(facts)) == facts


def test_the_ground_reaches_to_the_stage() -> None:
    glossary = Glossary.of([ADDRESS, NAMES, SCORE])
    assert dict(glossary.grounds(Stage.CONNECT)) == {"client.ip": ip_address("0.0.0.0")}
    assert dict(glossary.grounds(Stage.SCORED)) == {"client.ip": ip_address("0.0.0.0"), "names": (), "score": 0.0}
    assert glossary.absent(Stage.SCORED)["client.ip"] == plain(ADDRESS.absent)
