import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.answer import MAX_LINE, MAX_LINES, MAX_UNREAD, Answer, AnswerError, AnswerReader


def read(*pieces: bytes) -> list[Answer]:
    reader = AnswerReader()
    for piece in pieces:
        reader.feed(piece)
    return list(reader.answers)


def test_one_line_is_an_answer() -> None:
    assert read(b"250 2.0.0 Ok\r\n") == [Answer(code=250, lines=("2.0.0 Ok",))]


def test_several_lines_are_one_answer() -> None:
    assert read(b"250-one\r\n250-two\r\n250 three\r\n") == [Answer(code=250, lines=("one", "two", "three"))]


def test_a_code_alone_is_an_answer() -> None:
    assert read(b"354\r\n") == [Answer(code=354, lines=("",))]


def test_octets_that_are_no_utf8_are_kept_as_text() -> None:
    assert read(b"550 Gr\xfc\xdfe\r\n") == [Answer(code=550, lines=("Gr\ufffd\ufffde",))]


def test_answers_before_what_is_none_are_kept() -> None:
    reader = AnswerReader()
    with pytest.raises(AnswerError):
        reader.feed(b"250 2.0.0 Ok: queued as 4F1CA1\r\nhello\r\n")
    assert reader.answers == [Answer(code=250, lines=("2.0.0 Ok: queued as 4F1CA1",))]


@given(st.lists(st.sampled_from([b"250 a\r\n", b"550-x\r\n550 y\r\n", b"354\n"]), max_size=8), st.data())
def test_where_the_octets_are_cut_does_not_matter(replies: list[bytes], data: st.DataObject) -> None:
    octets = b"".join(replies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=6)))
    pieces = [octets[start:end] for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    assert read(*pieces) == read(octets)
    assert len(read(octets)) == len(replies)


@pytest.mark.parametrize(
    "octets",
    [
        b"hello\r\n",
        b"99 x\r\n",
        b"2500 x\r\n",
        b"650 x\r\n",
        b"150 x\r\n",
        b"25O x\r\n",
        b"\r\n",
        b"250_x\r\n",
        b"250-a\r\n251 b\r\n",
        b"250 a\rb\r\n",
        b"\xb2\xb5\xb0 x\r\n",
        b"250 " + b"x" * MAX_LINE + b"\r\n",
        b"x" * (MAX_LINE + 1),
        b"250-x\r\n" * MAX_LINES,
        b"250 x\r\n" * (MAX_UNREAD + 1),
    ],
)
def test_what_is_no_answer_is_an_error(octets: bytes) -> None:
    with pytest.raises(AnswerError):
        read(octets)


@given(st.binary(max_size=2000))
def test_any_octets_give_answers_or_an_error(octets: bytes) -> None:
    try:
        answers = read(octets)
    except AnswerError:
        return
    assert all(200 <= answer.code < 600 for answer in answers)
