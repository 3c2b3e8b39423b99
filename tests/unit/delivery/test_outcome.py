import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.answer import Answer
from gateway.delivery.outcome import (
    REPLIES,
    Failure,
    Step,
    answered,
    combined,
    disk_failure,
    find_queue_id,
    to_sender,
)

ABOUT_THE_MAIL = (Step.MAIL, Step.RCPT, Step.DOT)


def answer(code: int, text: str = "") -> Answer:
    return Answer(code=code, lines=(text,))


@pytest.mark.parametrize("step", Step)
@given(code=st.integers(200, 599))
def test_a_permanent_refusal_passes_only_where_it_is_about_the_mail(step: Step, code: int) -> None:
    told = to_sender(step, answer(code, "text"))
    if told.is_permanent:
        assert step in ABOUT_THE_MAIL
        assert code not in (421, 530)


@pytest.mark.parametrize("step", Step)
@given(code=st.integers(200, 599))
def test_success_is_told_only_of_success(step: Step, code: int) -> None:
    assert to_sender(step, answer(code)).is_success == (code < 300 and step is not Step.DATA)


@pytest.mark.parametrize("step", Step)
def test_421_is_451_everywhere(step: Step) -> None:
    assert to_sender(step, answer(421, "4.3.2 Bye")) == REPLIES[Failure.CLOSING]


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_has_a_temporary_reply(failure: Failure) -> None:
    assert REPLIES[failure].code == 451
    assert REPLIES[failure].enhanced.startswith("4.")


def test_251_is_a_plain_success() -> None:
    assert str(to_sender(Step.RCPT, answer(251, "2.1.5 Will forward"))) == "250 2.1.5 Will forward"


def test_a_flood_of_text_is_cut_for_the_log() -> None:
    assert len(answered(Step.DOT, answer(550, "x" * 100_000), next_hop="h").answer) == 1000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.0.0 Ok: queued as 4VbQ8r2fLzz9sXk", "4VbQ8r2fLzz9sXk"),
        ("OK id=1rAbCd-0000Xy-2F", "1rAbCd-0000Xy-2F"),
        ("2.0.0 41AB3xY7001234 Message accepted for delivery", "41AB3xY7001234"),
        ("2.0.0: 5f3a8c11 Message accepted for delivery", "5f3a8c11"),
        ("2.6.0 <a@b> [InternalId=12345678901, Hostname=x] Queued mail for delivery", "12345678901"),
        ("2.0.0 <bob@example.org> hGt3J8 Saved", "hGt3J8"),
        ("Ok", ""),
        ("", ""),
    ],
)
def test_queue_ids_of_common_servers(text: str, expected: str) -> None:
    assert find_queue_id(answer(250, text)) == expected


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((250,), 250),
        ((250, 250), 250),
        ((550,), 550),
        ((452,), 452),
        ((550, 552), 550),
        ((250, 550), 451),
        ((250, 452), 452),
        ((550, 452), 452),
    ],
)
def test_the_answers_of_lmtp_become_one_without_a_loss(codes: tuple[int, ...], expected: int) -> None:
    assert combined([answer(code) for code in codes]).code == expected


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "452 4.3.1"), (errno.EDQUOT, "452 4.3.1"), (errno.EACCES, "451 4.3.0"), (errno.EIO, "451 4.3.0")],
)
def test_a_full_disk_is_told_apart(number: int, told: str) -> None:
    outcome = disk_failure(OSError(number, "x"), next_hop="maildir")
    assert str(outcome.reply).startswith(told)
