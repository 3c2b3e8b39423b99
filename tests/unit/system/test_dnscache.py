"""The cache of answers: bounded by number, by size and by time."""

from gateway.system.dnscache import MAX_CACHED_OCTETS, Answer, DnsCache, Status

ANSWER = Answer(Status.OK, ("192.0.2.1",), ttl=10.0)


def cache(size: int = 3) -> DnsCache:
    return DnsCache(size=size, clock=lambda: 0.0)


def test_the_answer_unused_for_longest_makes_room() -> None:
    answers = cache(size=3)
    for name in "abc":
        answers.put((name, "A"), ANSWER)
    assert answers.get(("a", "A"))
    answers.put(("d", "A"), ANSWER)
    assert [name for name in "abcd" if answers.get((name, "A"))] == ["a", "c", "d"]
    assert len(answers) == 3


def test_an_answer_is_kept_until_its_time_has_passed_and_says_so() -> None:
    now = 5.0
    answers = DnsCache(size=3, clock=lambda: now)
    kept = answers.put(("a", "A"), ANSWER)
    assert kept.until == 15.0
    now = 14.9
    assert answers.get(("a", "A")) is kept
    now = 15.0
    assert answers.get(("a", "A")) is None


def test_of_what_is_not_kept_nobody_is_told_until_when_it_holds() -> None:
    large = Answer(Status.OK, (b"x" * (MAX_CACHED_OCTETS + 1),), ttl=10.0)
    not_kept = [cache(size=0).put(("a", "A"), ANSWER), cache().put(("a", "TXT"), large)]
    assert [answer.until for answer in not_kept] == [0.0, 0.0]


def test_types_of_one_name_are_apart() -> None:
    answers = cache()
    answers.put(("a", "A"), ANSWER)
    assert answers.get(("a", "AAAA")) is None


def test_an_answer_without_a_time_to_live_is_not_kept() -> None:
    answers = cache()
    answers.put(("a", "A"), Answer(Status.NXDOMAIN))
    assert len(answers) == 0


def test_a_large_answer_is_not_kept_whatever_it_is_made_of() -> None:
    answers = cache()
    answers.put(("one", "TXT"), Answer(Status.OK, (b"x" * (MAX_CACHED_OCTETS + 1),), ttl=10.0))
    answers.put(("many", "TXT"), Answer(Status.OK, (b"",) * 1000, ttl=10.0))
    answers.put(("mail", "MX"), Answer(Status.OK, ((10, "mx.example"),) * 1000, ttl=10.0))
    assert len(answers) == 0


def test_a_cache_of_no_size_keeps_nothing() -> None:
    answers = cache(size=0)
    answers.put(("a", "A"), ANSWER)
    assert answers.get(("a", "A")) is None
