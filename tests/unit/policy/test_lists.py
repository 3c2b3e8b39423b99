"""Lists from files: what an entry is, where they are found, and that many entries cost no more than few."""

import os
import timeit
from pathlib import Path

import pytest

from gateway.policy.language import compile_condition
from gateway.policy.lists import ListFiles, parse
from gateway.tomlfile import Unreadable
from tests.support.rulefacts import ABSENT, BY_NAME


def test_entries_are_lines_in_lower_case_without_comments() -> None:
    assert parse(b"# partners\r\nExample.ORG # since 2020\n\n  b.example\t\n#c\nm\xc3\xbcller.example", "f") == {
        "example.org",
        "b.example",
        "müller.example",
        "xn--mller-kva.example",
    }


def test_entries_are_found_whichever_way_editors_write_them() -> None:
    """With a byte order mark, line ends of any kind, white space around, and addresses below such domains."""
    entries = parse("\ufeffExample.ORG\r\n  b.example \t# c\rann@MÜLLER.example\n\xa0c.example\n\r\n".encode(), "f")
    assert entries == {"example.org", "b.example", "ann@müller.example", "ann@xn--mller-kva.example", "c.example"}


def test_octets_that_are_no_text_are_told_with_their_line() -> None:
    with pytest.raises(Unreadable, match=r"f:3:1: is not UTF-8"):
        parse(b"a\nb\n\xe4\n", "f")


def test_list_is_found_by_its_name_with_or_without_suffix_the_last_directory_first(tmp_path: Path) -> None:
    for directory, name, entry in (
        ("one", "a", "1"),
        ("one", "b.txt", "2"),
        ("two", "b", "3"),
        ("two", ".hidden", "4"),
    ):
        (tmp_path / directory).mkdir(exist_ok=True)
        (tmp_path / directory / name).write_text(entry)
    lists = ListFiles([tmp_path / "one", tmp_path / "two", tmp_path / "nothing"])
    assert {name: set(lists[name]) for name in lists} == {"a": {"1"}, "b": {"3"}}


def test_list_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"\xff")
    lists = ListFiles([tmp_path])
    assert list(lists) == ["broken"]
    with pytest.raises(Unreadable):
        lists["broken"]


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "partners")
    with pytest.raises(Unreadable, match="partners:1:1: cannot be read: it is a pipe"):
        ListFiles([tmp_path])["partners"]


def test_hundreds_of_thousands_of_entries_are_looked_up_at_once() -> None:
    entries = frozenset(f"d{number}.example" for number in range(300_000))
    condition = compile_condition('under(author.domain, listed("many"))', BY_NAME, {"many": entries})
    facts = {**ABSENT, "author.domain": "mail.d299999.example"}
    assert condition.holds(facts)
    assert timeit.timeit(lambda: condition.holds(facts), number=1000) < 1.0  # a search through all would take a minute
