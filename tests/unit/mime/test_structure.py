"""The parts of a message, found in its octets as they pass by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message import CHUNK
from gateway.mime.outline import Entity, Outline, Soundness
from gateway.mime.structure import MAX_DASHED, MAX_DEPTH, MAX_LINE, MAX_PART_HEADER, MAX_PARTS, Structure
from tests.support.mailbytes import message_of, wire

MIXED = "Content-Type: multipart/mixed; boundary=b\n\n"


def outline(text: str | bytes, *, step: int = CHUNK) -> Outline:
    message = message_of(wire(text), step=step)
    structure = Structure(message.fields)
    for chunk in message.body():
        structure.feed(chunk)
    return structure.outline()


def types(text: str | bytes) -> list[str]:
    return [entity.media_type for entity in outline(text).entities]


def test_message_without_fields_is_a_text() -> None:
    assert outline("Subject: x\n\nbody\n") == Outline((Entity("text/plain"),), Soundness.COMPLETE)


def test_parts_are_found_with_their_names() -> None:
    found = outline(
        MIXED + "preamble\n--b\nContent-Type: text/html\n\n<p>\n--b\nContent-Type: application/pdf; name=a.pdf\n"
        'Content-Disposition: attachment;\n filename="b.pdf"\n\nJVBERi\n--b--\nepilogue\n--b\n\nnot a part\n'
    )
    assert found.soundness is Soundness.COMPLETE
    assert found.entities == (
        Entity("multipart/mixed"),
        Entity("text/html"),
        Entity("application/pdf", "attachment", ("b.pdf", "a.pdf")),
    )
    assert [entity.is_attachment for entity in found.entities] == [False, False, True]


def test_parts_nest_and_messages_are_entered() -> None:
    text = (
        MIXED + "--b\nContent-Type: message/rfc822\n\nSubject: inner\nContent-Type: multipart/digest; boundary=c\n\n"
        "--c\n\nSubject: of the digest\n\nx\n--c--\n--b\nContent-Type: image/png\n\nx\n--b--\n"
    )
    assert types(text) == [
        "multipart/mixed",
        "message/rfc822",
        "multipart/digest",
        "message/rfc822",
        "text/plain",
        "image/png",
    ]
    assert outline(text).soundness is Soundness.COMPLETE


def test_part_without_a_header_is_a_text() -> None:
    assert types(MIXED + "--b\n\nx\n--b--\n") == ["multipart/mixed", "text/plain"]


@pytest.mark.parametrize(
    "line",
    ["--b", "--b ", "--b \t"],
)
def test_white_space_behind_a_boundary_means_nothing(line: str) -> None:
    assert len(types(MIXED + f"{line}\n\nx\n--b--\n")) == 2


@pytest.mark.parametrize("line", ["--bb", "--B", " --b", "-b", "---b", "x--b", "--b-"])
def test_what_only_looks_like_a_delimiter_is_none(line: str) -> None:
    assert len(types(MIXED + f"--b\n\nx\n{line}\n\nx\n--b--\n")) == 2


@pytest.mark.parametrize(
    "text",
    [
        MIXED + "--b\n\nx\n",  # it does not end
        MIXED,
        "Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n",
        "Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--b\n\nx\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b (or a)\n\n--b\n\nx\n--b--\n",
        "Content-Type: text/plain\n" + MIXED + "--b\n\nx\n--b--\n",
        "Content-Type: nonsense\n\nx\n",
        "Content-Transfer-Encoding: base64\n" + MIXED + "--b\n\nx\n--b--\n",
        "Content-Transfer-Encoding: base64\nContent-Type: message/rfc822\n\nx\n",
        MIXED + "--b\nno field\n\nx\n--b--\n",
        MIXED + "--b\nContent-Type: text/plain\n--b--\n",  # no empty line
        MIXED + f"--b\n\nx\n--b{' ' * MAX_LINE}\n\nx\n--b--\n",
        MIXED + "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--b--\n",  # the inner one does not end
    ],
)
def test_what_readers_may_understand_otherwise_is_malformed(text: str) -> None:
    assert outline(text).soundness is Soundness.MALFORMED


@pytest.mark.parametrize(
    "text",
    [
        MIXED + "--b\n\n" * MAX_PARTS + "--b--\n",
        MIXED + "--b\nX: " + "x" * MAX_PART_HEADER + "\n\nx\n--b--\n",
        MIXED + "--b\n\n" + "--x\n" * (MAX_DASHED + 1) + "--b--\n",
        MIXED
        + "".join(f"--{'b' * n}\nContent-Type: multipart/mixed; boundary={'b' * (n + 1)}\n\n" for n in range(1, 40)),
        'Content-Type: text/plain; name="' + "x" * 9000 + '"\n\nx\n',
        "Content-Type: message/rfc822\n\n" * (MAX_PARTS + 1),
    ],
)
def test_what_is_beyond_a_bound_is_told(text: str) -> None:
    found = outline(text)
    assert found.soundness is Soundness.LIMITED
    assert len(found.entities) <= MAX_PARTS


def test_depth_has_a_bound() -> None:
    text = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(100))
    assert len(outline(text).entities) == MAX_DEPTH + 1


_PIECES = st.sampled_from(
    [
        b"--",
        b"-",
        b"b",
        b"--b\r\n",
        b"--b--\r\n",
        b"--c\r\n",
        b"\r\n",
        b"\n",
        b"x",
        b"Content-Type: multipart/mixed; boundary=c\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: text/html; name=x\r\n",
        b" ",
        b"y" * MAX_LINE,
    ]
)


@given(st.lists(_PIECES, max_size=40).map(b"".join), st.integers(1, 40))
def test_how_the_octets_come_makes_no_difference(body: bytes, step: int) -> None:
    text = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + body
    assert outline(text, step=step) == outline(text)
