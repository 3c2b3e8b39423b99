"""What statistics take from a replay: what is certain, and what is not known."""

from pathlib import Path

from gateway.facts import FactValue
from gateway.policy.profiles import Profiles
from gateway.policy.replay import Recorded, Replay
from gateway.policy.rules import load
from gateway.policy.verdict import Action
from gateway.tuning.sighting import Known, Sighting, sighted
from gateway.vocabulary import FACTS
from tests.support.rulefacts import written

KNOWN: dict[str, FactValue] = {fact.name: fact.absent for fact in FACTS} | {"spam.result": "scored"}


def seen(directory: Path, *rules: str, without: str = "", **facts: FactValue) -> Sighting:
    """Of a scored message, judged by rules written as "when -> what"; underscores in names of facts stand for dots."""
    tables = (
        f"[[rule]]\nid = 'r{number}'\nwhy = 'x'\nwhen = '''{when}'''\n{what}\n"
        for number, (when, what) in enumerate(rule.split(" -> ") for rule in rules)
    )
    known = KNOWN | {name.replace("_", "."): value for name, value in facts.items()}
    known.pop(without, None)
    profiles = Profiles(default=load([written(directory, "".join(tables))], FACTS), named={}, domains={})
    return sighted("m1", Known.HAM, Replay(profiles).outcome(Recorded(facts=known, panic=False)))


def test_hits_action_and_scores(tmp_path: Path) -> None:
    found = seen(
        tmp_path,
        'subject == "An offer" -> score = 2.5',
        "total > 5 -> then = 'quarantine'",
        "spam.score > 1 -> then = 'tag'\nmode = 'shadow'",
        "dkim.partial -> then = 'reject'",
        subject="An offer",
        spam_score=4.0,
    )
    assert set(found.hits) == {"r0", "r1", "r2"}
    assert (found.action, found.decisive) == (Action.QUARANTINE, "r1")
    assert (found.score, found.total, found.required) == (4.0, 6.5, 5.0)
    assert not found.undecided


def test_a_rule_on_what_is_not_known_neither_hits_nor_misses(tmp_path: Path) -> None:
    found = seen(tmp_path, 'subject == "An offer" -> then = "reject"', "True -> then = 'tag'", without="subject")
    assert (found.hits, found.undecided) == (("r1",), {"r0": ("subject",)})
    assert (found.action, found.decisive) == (None, "")


def test_a_rule_that_cannot_match_whatever_is_not_known_is_decided(tmp_path: Path) -> None:
    found = seen(tmp_path, 'subject == "An offer" and spam.score > 3 -> then = "reject"', without="subject")
    assert (found.hits, found.undecided, found.action) == ((), {}, Action.ACCEPT)


def test_a_total_that_is_not_known_decides_no_rule_that_reads_it(tmp_path: Path) -> None:
    found = seen(
        tmp_path,
        'subject == "An offer" -> score = -2',
        "total > 5 -> then = 'quarantine'",
        without="subject",
        spam_score=6.0,
    )
    assert (found.hits, found.total, found.score) == ((), None, 6.0)
    assert found.undecided == {"r0": ("subject",), "r1": ("total",)}


def test_what_is_behind_a_final_rule_is_not_read(tmp_path: Path) -> None:
    found = seen(
        tmp_path,
        "True -> then = 'accept'\nfinal = true",
        'subject == "An offer" -> then = "reject"',
        without="subject",
    )
    assert (found.hits, found.undecided, found.action) == (("r0",), {}, Action.ACCEPT)


def test_a_message_that_spamd_did_not_score_has_no_score(tmp_path: Path) -> None:
    found = seen(tmp_path, "spam.result == 'busy' -> then = 'defer'", spam_result="busy")
    assert (found.hits, found.score, found.total, found.required) == (("r0",), None, None, None)


def test_a_message_that_is_refused_before_spamd_is_asked_has_no_score(tmp_path: Path) -> None:
    found = seen(tmp_path, "author.count == 0 -> then = 'reject'", "total > 5 -> then = 'tag'", spam_score=9.0)
    assert (found.hits, found.undecided, found.score) == (("r0",), {}, None)
