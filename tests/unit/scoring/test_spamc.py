"""SPAMC/1.5: what goes to spamd, and what is believed of what comes back."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.scoring.spamc import (
    MAX_SYMBOLS,
    Command,
    CutOff,
    Reply,
    ReplyError,
    ReplyParser,
    Score,
    parse_score,
    request,
)
from tests.support.fakespamd import scored

PONG = b"SPAMD/1.5 0 PONG\r\n"


def parse(*pieces: bytes) -> Reply:
    parser = ReplyParser()
    for piece in pieces:
        if reply := parser.feed(piece):
            return reply
    return parser.end()


def test_symbols_request_states_size_and_user():
    assert request(Command.SYMBOLS, size=12, user="filter") == (
        b"SYMBOLS SPAMC/1.5\r\nContent-length: 12\r\nUser: filter\r\n\r\n"
    )


def test_ping_has_an_empty_head():
    assert request(Command.PING) == b"PING SPAMC/1.5\r\n\r\n"


def test_empty_message_has_a_length():
    assert b"Content-length: 0\r\n" in request(Command.SYMBOLS, size=0)


def test_score_and_symbols_are_read():
    assert parse_score(parse(scored("7.2", "5.0", "A_1,b", flag="True"))) == Score(
        is_spam=True, score=7.2, required=5.0, symbols=("A_1", "b")
    )


def test_a_message_that_hits_no_rule_has_no_symbols():
    assert parse_score(parse(scored("-0.0", symbols=""))).symbols == ()


@given(st.data())
def test_reply_is_the_same_however_it_is_cut_in_pieces(data):
    whole = scored("3.25", "5.0", "ONE,TWO,THREE")
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1))))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert parse_score(parse(*pieces)) == Score(
        is_spam=False, score=3.25, required=5.0, symbols=("ONE", "TWO", "THREE")
    )


@given(st.integers(0, len(scored()) - 1))
def test_reply_that_ends_early_is_cut_off(length):
    if length == len(b"SPAMD/1.1 0 EX_OK\r\n"):
        with pytest.raises(ReplyError):
            parse_score(parse(scored()[:length]))
    else:
        with pytest.raises(CutOff):
            parse(scored()[:length])


@given(st.binary(max_size=300))
def test_any_octets_give_a_reply_or_a_reply_error(octets):
    with contextlib.suppress(ReplyError):
        parse_score(parse(octets))


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_any_octets_inside_a_reply_give_a_finite_score_or_a_reply_error(length, spam, body):
    octets = b"SPAMD/1.1 0 EX_OK\r\nContent-length: %s\r\nSpam: %s\r\n\r\n%s" % (length, spam, body)
    try:
        score = parse_score(parse(octets))
    except ReplyError:
        return
    assert abs(score.score) < 1e6
    assert abs(score.required) < 1e6


def test_status_line_alone_is_a_whole_reply_once_the_connection_ends():
    assert parse(PONG) == Reply(code=0, text="PONG", fields={})


def test_error_code_and_its_words_are_kept():
    reply = parse(b"SPAMD/1.0 76 Bad header line: (EOF during headers)\r\n")
    assert (reply.code, reply.text) == (76, "Bad header line: (EOF during headers)")


def test_words_of_an_error_are_made_printable():
    assert parse(b"SPAMD/1.0 76 a\x00\x1b[31m\xff\r\n").text == "a??[31m?"


def test_reply_without_a_content_length_ends_at_its_empty_line():
    assert parse(b"SPAMD/1.1 0 EX_OK\r\nSpam: False ; 0.0 / 5.0\r\n\r\n\r\n").fields == {"spam": "False ; 0.0 / 5.0"}


@pytest.mark.parametrize(
    "number",
    ["nan", "inf", "-inf", "1e999", "9" * 7, "1." + "0" * 7, "1_0", "0x10", "", "+1", "1.", ".5", "\u0663", "1,5"],
)
def test_score_that_is_no_plain_number_is_not_believed(number):
    with pytest.raises(ReplyError):
        parse_score(parse(scored(number)))
    with pytest.raises(ReplyError):
        parse_score(parse(scored(required=number)))


@pytest.mark.parametrize("symbols", ["A B", "A,,B", ",", "A\r\nB", "A\x00", "A" * 129, "<A>", "A,"])
def test_list_of_rules_that_is_none_is_not_believed(symbols):
    with pytest.raises(ReplyError):
        parse_score(parse(scored(symbols=symbols)))


def test_too_many_rules_are_not_believed():
    with pytest.raises(ReplyError, match="more than"):
        parse_score(parse(scored(symbols=",".join(["A"] * (MAX_SYMBOLS + 1)))))


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SPAMD/1.1 0 EX_OK\r\nno field\r\n\r\n",
        b"SPAMD/1.1 0 EX_OK\r\nContent-length: -1\r\n\r\n",
        b"SPAMD/1.1 0 EX_OK\r\nContent-length: 99999999999\r\n\r\n",
        b"SPAMD/1.1 0 EX_OK\r\nContent-length: 1e3\r\n\r\n",
        b"SPAMD/1.1 0 EX_OK\r\nContent-length: 1\r\nContent-length: 1\r\n\r\nA",
        b"SPAMD/1.1 0 EX_OK\r\nContent-length: 1\r\n\r\nAB",
        b"SPAMD/1.1 0 EX_OK\r\nContent-length: 70000\r\n\r\n",
        b"SPAMD/1.1 99999 EX_OK\r\n\r\n",
        b"SPAMD/1.1 0 " + b"x" * 9000,
    ],
)
def test_reply_that_breaks_the_protocol_is_not_believed(octets):
    with pytest.raises(ReplyError):
        parse(octets)


def test_score_without_a_content_length_is_not_believed():
    with pytest.raises(ReplyError, match="Content-length"):
        parse_score(parse(b"SPAMD/1.1 0 EX_OK\r\nSpam: False ; 0.0 / 5.0\r\n\r\n"))
