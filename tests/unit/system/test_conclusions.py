"""Conclusions rest on answers of DNS, and fall with them."""

import pytest
from msgspec.structs import replace

from gateway.system.conclusions import MAX_GROUNDS, MAX_OCTETS, Conclusions
from gateway.system.dns import Answer, DnsResolver, DnsSettings
from gateway.system.dnscache import Question, Status
from tests.support.dnsserver import DnsServer

NAME: Question = ("example.org", "TXT")
OTHER: Question = ("mail.example.org", "A")
SAYS = Answer(Status.OK, (b"v=spf1 -all",), 300)
HAS = Answer(Status.OK, ("192.0.2.1",), 300)


class Cache:
    """The cache of a resolver of which nothing is asked."""

    def __init__(self, answers: dict[Question, Answer]) -> None:
        self.answers = answers

    def cached(self, name: str, rrtype: str) -> Answer | None:
        return self.answers.get((name, rrtype))

    async def query(self, name: str, rrtype: str) -> Answer:
        raise AssertionError(f"{rrtype} of {name} was asked for")


def test_a_conclusion_is_kept_while_its_grounds_are_cached() -> None:
    grounds = {NAME: SAYS, OTHER: HAS}
    conclusions: Conclusions[str, str] = Conclusions(Cache(dict(grounds)), size=10)
    assert conclusions.recall("ann") is None
    conclusions.keep("ann", "fail", grounds)
    assert conclusions.recall("ann") == "fail"
    assert conclusions.recall("bob") is None


@pytest.mark.parametrize("now", [{}, {NAME: SAYS}, {NAME: SAYS, OTHER: Answer(Status.OK, ("192.0.2.1",), 300)}])
def test_it_falls_with_any_of_them(now: dict[Question, Answer]) -> None:
    cache = Cache({NAME: SAYS, OTHER: HAS})
    conclusions: Conclusions[str, str] = Conclusions(cache, size=10)
    conclusions.keep("ann", "fail", dict(cache.answers))
    cache.answers = now
    assert conclusions.recall("ann") is None
    cache.answers = {NAME: SAYS, OTHER: HAS}
    assert conclusions.recall("ann") is None


def test_until_one_of_them_expires_it_is_told_without_a_look_at_any() -> None:
    class Unasked(Cache):
        def cached(self, name: str, rrtype: str) -> Answer | None:
            raise AssertionError(f"{rrtype} of {name} was looked for")

    now = 0.0
    grounds = {NAME: replace(SAYS, until=300.0), OTHER: replace(HAS, until=20.0)}
    conclusions: Conclusions[str, str] = Conclusions(Unasked({}), size=10, clock=lambda: now)
    conclusions.keep("ann", "fail", grounds)
    now = 19.9
    assert conclusions.recall("ann") == "fail"


@pytest.mark.parametrize("order", [(NAME, OTHER), (OTHER, NAME)])
async def test_it_falls_once_one_of_them_has_expired(order: tuple[Question, Question]) -> None:
    now = 1000.0
    async with DnsServer({NAME: [b"v=spf1 -all"]}, ttl=300) as server:
        resolver = DnsResolver(DnsSettings(servers=(server.address,), negative_ttl=20), clock=lambda: now)
        grounds = {question: await resolver.query(*question) for question in order}
        conclusions: Conclusions[str, str] = Conclusions(resolver, size=10, clock=lambda: now)
        conclusions.keep("ann", "fail", grounds)
        now = 1019.9
        assert conclusions.recall("ann") == "fail"
        now = 1020.0
        assert conclusions.recall("ann") is None
        assert resolver.cached(*NAME) is grounds[NAME]
        await resolver.close()


@pytest.mark.parametrize(
    "grounds",
    [
        {NAME: SAYS, OTHER: Answer(Status.TIMEOUT)},
        {(f"{number}.example.org", "A"): HAS for number in range(MAX_GROUNDS + 1)},
        {NAME: Answer(Status.OK, (b"x" * (MAX_OCTETS + 1),), 300)},
    ],
    ids=["temporary", "many", "large"],
)
def test_what_may_change_or_is_much_is_not_kept(grounds: dict[Question, Answer]) -> None:
    conclusions: Conclusions[str, str] = Conclusions(Cache(grounds), size=10)
    conclusions.keep("ann", "temperror", grounds)
    assert len(conclusions) == 0


def test_the_one_unused_for_longest_makes_room() -> None:
    conclusions: Conclusions[str, str] = Conclusions(Cache({NAME: SAYS}), size=2)
    for key in ("ann", "bob"):
        conclusions.keep(key, "fail", {NAME: SAYS})
    conclusions.recall("ann")
    conclusions.keep("eve", "fail", {NAME: SAYS})
    assert [conclusions.recall(key) for key in ("ann", "bob", "eve")] == ["fail", None, "fail"]
