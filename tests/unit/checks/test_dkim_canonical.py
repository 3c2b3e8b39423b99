"""Bodies are hashed as their canonical form, wherever the chunks end and whatever they are made of."""

import hashlib
from itertools import pairwise

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import given
from hypothesis import strategies as st

from gateway.checks.dkim.canonical import BodyHash, BodyHasher, BodyPlan, Canon, hash_whole

ORACLES = {Canon.SIMPLE: Simple, Canon.RELAXED: Relaxed}

pieces = st.sampled_from([b"a", b"bc", b" ", b"  ", b"\t", b"\r\n", b"\r\n\r\n", b" \r\n", b"\r", b"\n"])
bodies = st.lists(pieces, max_size=30).map(b"".join)


def hashes(body: bytes, *plans: BodyPlan, cuts: tuple[int, ...] = ()) -> dict[BodyPlan, BodyHash]:
    hasher = BodyHasher(plans)
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(edges):
        hasher.update(body[start:end])
    return dict(hasher.finish())


def canonical_hash(octets: bytes) -> BodyHash:
    return BodyHash(hashlib.sha256(octets).digest(), len(octets))


@pytest.mark.parametrize(
    ("canon", "body", "canonical"),
    [
        (Canon.SIMPLE, b"", b"\r\n"),
        (Canon.SIMPLE, b"\r\n\r\n", b"\r\n"),
        (Canon.SIMPLE, b"a  b \r\n\r\n\r\n", b"a  b \r\n"),
        (Canon.SIMPLE, b"a", b"a\r\n"),
        (Canon.SIMPLE, b"a\r", b"a\r\r\n"),
        (Canon.RELAXED, b"", b""),
        (Canon.RELAXED, b" \t\r\n  \r\n", b""),
        (Canon.RELAXED, b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),  # RFC 6376 section 3.4.5
        (Canon.RELAXED, b"a ", b"a\r\n"),
        (Canon.RELAXED, b"a \r", b"a \r\r\n"),
        (Canon.RELAXED, b"a\n\r\n\n", b"a\n\r\n\n\r\n"),
    ],
)
def test_the_canonical_form_is_that_of_the_rfc(canon: Canon, body: bytes, canonical: bytes) -> None:
    assert hashes(body, BodyPlan(canon)) == {BodyPlan(canon): canonical_hash(canonical)}


@given(body=bodies, cuts=st.lists(st.integers(0, 200), max_size=6), canon=st.sampled_from(Canon))
def test_it_does_not_matter_where_the_chunks_end(body: bytes, cuts: list[int], canon: Canon) -> None:
    plan = BodyPlan(canon)
    assert hashes(body, plan, cuts=tuple(cuts)) == hashes(body, plan)


@given(body=bodies, canon=st.sampled_from(Canon), beyond=st.integers(-40, 1))
def test_nor_whether_it_comes_in_one_piece(body: bytes, canon: Canon, beyond: int) -> None:
    whole = BodyPlan(canon)
    beginning = BodyPlan(canon, max(hash_whole(body, whole).body_length + beyond, 0))
    for plan in (whole, beginning):
        assert hash_whole(body, plan) == hashes(body, plan)[plan]


@given(body=bodies, canon=st.sampled_from(Canon))
def test_dkimpy_makes_the_same_form_of_complete_lines(body: bytes, canon: Canon) -> None:
    plan = BodyPlan(canon)
    assert hashes(body + b"\r\n", plan)[plan] == canonical_hash(ORACLES[canon].canonicalize_body(body + b"\r\n"))


@given(body=bodies, lengths=st.sets(st.integers(0, 60), max_size=5), cuts=st.lists(st.integers(0, 200), max_size=3))
def test_a_length_hashes_the_beginning_of_the_canonical_form(body: bytes, lengths: set[int], cuts: list[int]) -> None:
    canonical = Relaxed.canonicalize_body(body + b"\r\n")
    plans = [BodyPlan(Canon.RELAXED, length) for length in lengths]
    for plan, found in hashes(body + b"\r\n", *plans, cuts=tuple(cuts)).items():
        assert plan.length is not None
        reached = plan.length <= len(canonical)
        assert found.digest == (hashlib.sha256(canonical[: plan.length]).digest() if reached else b"")
        assert found.body_length == len(canonical)


def test_one_pass_serves_all_plans() -> None:
    body = b"one  two \r\n\r\n"
    plans = [BodyPlan(Canon.SIMPLE), BodyPlan(Canon.RELAXED), BodyPlan(Canon.RELAXED, 3), BodyPlan(Canon.SIMPLE, 0)]
    found = hashes(body, *plans)
    assert found == {plan: hashes(body, plan)[plan] for plan in plans}
