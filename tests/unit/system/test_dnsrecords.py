"""Which records of a reply answer its question."""

from gateway.system.dnscache import Answer, Status
from gateway.system.dnsrecords import MAX_ALIASES, Record, read_answer


def a(owner: str, address: str = "192.0.2.1", ttl: int = 300) -> Record:
    return Record(owner, "A", ttl, address)


def cname(owner: str, target: str, ttl: int = 300) -> Record:
    return Record(owner, "CNAME", ttl, target)


def test_records_of_another_owner_or_type_do_not_answer() -> None:
    stray = [a("evil.example", "203.0.113.1"), Record("good.example", "TXT", 300, b"")]
    assert read_answer([*stray, a("good.example")], "good.example", "A").records == ("192.0.2.1",)
    assert read_answer(stray, "good.example", "A").status is Status.NODATA


def test_aliases_are_followed_in_whatever_order_they_stand() -> None:
    records = [a("c"), cname("b", "c"), cname("a", "b")]
    assert read_answer(records, "a", "A").records == ("192.0.2.1",)


def test_the_shortest_time_to_live_of_the_chain_counts() -> None:
    records = [cname("a", "b", ttl=20), cname("b", "c", ttl=90), a("c", ttl=60)]
    assert read_answer(records, "a", "A") == Answer(Status.OK, ("192.0.2.1",), 20.0)


def test_a_loop_of_aliases_is_a_failure_wherever_it_begins() -> None:
    assert read_answer([cname("a", "a")], "a", "A").status is Status.SERVFAIL
    assert read_answer([cname("a", "b"), cname("b", "c"), cname("c", "b")], "a", "A").status is Status.SERVFAIL


def test_a_chain_of_aliases_may_be_long_but_not_of_any_length() -> None:
    chain = [cname(f"n{number}", f"n{number + 1}") for number in range(MAX_ALIASES + 1)]
    assert read_answer([*chain, a(f"n{MAX_ALIASES}")], "n0", "A").status is Status.SERVFAIL
    assert read_answer([*chain[:-1], a(f"n{MAX_ALIASES}")], "n0", "A").status is Status.OK


def test_an_alias_of_nothing_is_no_data() -> None:
    assert read_answer([cname("a", "b")], "a", "A").status is Status.NODATA
