"""Turns: the order in which clients are served that wait for the same thing."""

from gateway.system.turns import Turns


def turns_of(*joined: tuple[str, str]) -> Turns[str]:
    turns = Turns[str]()
    for when, (client, waiter) in enumerate(joined):
        turns.join(client, waiter, float(when))
    return turns


def order(turns: Turns[str]) -> list[str]:
    return [waiter for waiter, _ in turns]


def test_clients_come_one_after_another_and_of_each_who_came_first():
    assert order(turns_of(("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1"), ("b", "b2"))) == [
        "a1",
        "b1",
        "c1",
        "a2",
        "b2",
        "a3",
    ]


def test_who_was_served_has_the_next_turn_after_all_others():
    turns = turns_of(("a", "a1"), ("a", "a2"), ("b", "b1"))
    turns.serve("a", "a1", 10.0)
    assert list(turns) == [("b1", 2.0), ("a2", 10.0)]


def test_who_leaves_takes_no_turn_from_the_others_of_the_client():
    turns = turns_of(("a", "a1"), ("a", "a2"), ("b", "b1"))
    turns.leave("a", "a1")
    assert list(turns) == [("a2", 0.0), ("b1", 2.0)]


def test_nothing_is_kept_of_a_client_that_waits_no_more():
    turns = turns_of(("a", "a1"), ("b", "b1"))
    turns.serve("a", "a1", 10.0)
    turns.leave("b", "b1")
    assert (turns.first_since, order(turns)) == (None, [])


def test_first_turn_is_that_of_the_client_that_goes_without_for_the_longest():
    turns = turns_of(("a", "a1"), ("b", "b1"), ("a", "a2"))
    assert turns.first_since == 0.0
    turns.serve("a", "a1", 10.0)
    assert turns.first_since == 1.0
