"""Test points: asks a DNS list for the entries by which anybody can see whether it works (RFC 5782 section 5)."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from gateway.checks.dnslists.codes import CodePattern, is_code, is_refusal
from gateway.checks.dnslists.question import probes
from gateway.checks.dnslists.settings import DnsListSettings
from gateway.system.dns import Answer, Resolver
from gateway.system.together import together

MAX_SHOWN = 4  # answers


class Soundness(StrEnum):
    """What a list's test entries say about it."""

    SOUND = "has its test entry"  # and lacks the one that none may have
    REFUSES = "answers with an error code"  # it sees a public resolver, a wrong key, too many questions
    FOREIGN = "answers with an address that is none of a list's"  # the zone is something else by now
    EVERYTHING = "has an entry that no list may have"
    NOTHING = "lacks its test entry"
    SILENT = "gives no answer"


ADVICE = {
    Soundness.REFUSES: "Ask through a resolver of your own (unbound on this host), or with a key of the list; until"
    " then it has no say.",
    Soundness.FOREIGN: "Correct zone, or take the list out: the domain is something else by now.",
    Soundness.EVERYTHING: "Take it out: it seems to list everything, so its listings are not believed.",
    Soundness.NOTHING: "Correct zone and about, or take the list out: it is misspelled, ended, or refuses this host.",
    Soundness.SILENT: "If it stays so, take it out: every client is kept waiting for it.",
}


class Examined(Struct, frozen=True):
    """What was found about a list. `answers` are those for the entries that every list has."""

    soundness: Soundness
    answers: tuple[str, ...]
    listed: tuple[CodePattern, ...]

    @property
    def text(self) -> str:
        """For people, to follow the list's name."""
        shown = f" ({', '.join(self.answers[:MAX_SHOWN])})" if self.answers else ""
        is_counted = any(answer in pattern for answer in self.answers for pattern in self.listed)
        note = "" if is_counted or self.soundness is not Soundness.SOUND else ", which `listed` does not count"
        return f"{self.soundness.value}{shown}{note}"

    @property
    def advice(self) -> str:
        return ADVICE.get(self.soundness, "")


async def examine_list(settings: DnsListSettings, resolver: Resolver) -> Examined:
    """Ask for the list's test entries, for addresses those of both versions of IP."""
    questions = probes(settings)
    names = [question.name for question in questions] + [question.control for question in questions]
    answers = await together(resolver.query(name, "A") for name in names)
    return judge_list(settings, answers[: len(questions)], answers[len(questions) :])


def judge_list(settings: DnsListSettings, present: Sequence[Answer], absent: Sequence[Answer]) -> Examined:
    """What follows from the answers about entries that must be there, and about those that must not. Pure. A list of
    addresses of one version lacks the entries of the other, and is sound."""
    answers = tuple(record for answer in present for record in answer.records)
    return Examined(_soundness(answers, present, absent), answers, settings.listed)


def _soundness(answers: Sequence[str], present: Sequence[Answer], absent: Sequence[Answer]) -> Soundness:
    if refusal := next(filter(is_refusal, answers), ""):
        return Soundness.REFUSES if is_code(refusal) else Soundness.FOREIGN
    if any(answer.records for answer in absent):
        return Soundness.EVERYTHING
    if answers:
        return Soundness.SOUND
    return Soundness.SILENT if any(answer.is_temporary for answer in present) else Soundness.NOTHING
