"""TOML files: every table, key and character of a text has its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tomlfile import Place, TomlFile, Unreadable, did_you_mean, nearest, parse, read

RULES = b"""\
# a comment with [brackets] and a = sign
title = "no [header] = here" # more
[limits]
  size.max = 10
"quoted.key" = 'x' # "
[[rule]]
id = "a"
when = '''spf.result == "fail"
   and [[not.a.header]]'''
example = [
  # comment ]
  { facts = { "spf.result" = "fail" }, match = true },
  { facts = {} },
]
[[rule]]
  id = "b"
  [rule.more]
  deep = 1
  [[rule.sub]]
  n = 1
  [[rule.sub]]
  n = 2
"""


@pytest.fixture
def rules() -> TomlFile:
    return parse(RULES, "rules.toml")


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("title",), 2, 1),
        (("limits",), 3, 1),
        (("limits", "size"), 4, 3),
        (("limits", "size", "max"), 4, 3),
        (("limits", "quoted.key"), 5, 1),
        (("rule",), 6, 1),
        (("rule", 0), 6, 1),
        (("rule", 0, "when"), 8, 1),
        (("rule", 0, "example", 0), 12, 3),
        (("rule", 0, "example", 0, "facts"), 12, 5),
        (("rule", 0, "example", 0, "facts", "spf.result"), 12, 15),
        (("rule", 0, "example", 0, "match"), 12, 40),
        (("rule", 0, "example", 1, "facts"), 13, 5),
        (("rule", 1), 15, 1),
        (("rule", 1, "id"), 16, 3),
        (("rule", 1, "more", "deep"), 18, 3),
        (("rule", 1, "sub", 1), 21, 3),
        (("rule", 1, "sub", 1, "n"), 22, 3),
    ],
)
def test_each_table_and_key_has_its_place(rules: TomlFile, path: tuple[str | int, ...], line: int, column: int) -> None:
    assert rules.place(path) == Place(line, column)


def test_what_is_missing_is_placed_at_what_encloses_it(rules: TomlFile) -> None:
    assert rules.place(("rule", 1, "when")) == Place(15, 1)
    assert rules.place(("nothing", "here")) == Place(1, 1)


@pytest.mark.parametrize(
    ("written", "wanted", "line", "column"),
    [
        (b"a = 'xyz'", "y", 1, 7),
        (b'a = "xyz"', "y", 1, 7),
        (rb'a = "\"\u0041\ty"', "y", 1, 16),
        (rb'a = "\U00000041y"', "y", 1, 16),
        (b"a = '''\nx\n  y'''", "y", 3, 3),
        (b"a = '''x\r\n y'''", "y", 2, 2),
        (b'a = """\\\n\n   x \\\n  y"""', "y", 4, 3),
        (b'a = "\xc3\xa4y"', "y", 1, 7),
        (b"a = ['', 'y']", "", 1, 1),
    ],
)
def test_characters_of_a_text_have_their_place(written: bytes, wanted: str, line: int, column: int) -> None:
    file = parse(written, "f")
    offset = file.data["a"].index(wanted) if wanted else 0
    assert file.place_in_text(("a",), offset) == Place(line, column)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (b"a = 1\nb\n", "f:2:2: expected '=' after a key in a key/value pair"),
        (b"b = 1\na = '''x\n\n", "f:2:5: expected"),
        (b"a = 1\n\xc3\xa4 = '\xff'", "f:2:6: is not UTF-8"),
        (b"a = 1\na = 2", "f:2:6: cannot overwrite a value"),
        (b"a = " + b"9" * 5000, "f:1:1: "),
        (b"a = " + b"[" * 100_000, "f:1:1: is nested too deeply"),
    ],
)
def test_broken_file_gives_one_problem_with_its_place(written: bytes, problem: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(written, "f")
    assert str(caught.value.problem).startswith(problem)


def test_missing_file_and_directory_give_a_problem(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"nothing\.toml:1:1: cannot be read: No such file"):
        read(tmp_path / "nothing.toml")
    with pytest.raises(Unreadable, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_huge_file_is_refused_without_reading_all_of_it() -> None:
    with pytest.raises(Unreadable, match="is larger than"):
        read(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("name", "near"),
    [("spf.reslt", "spf.result"), ("SPF.Result", "spf.result"), ("arc", None), ("xyzzy", None), ("", None)],
)
def test_nearest_name(name: str, near: str | None) -> None:
    assert nearest(name, ["spf.result", "arc.trusted", "dkim.count"]) == near


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("spf.reslt", 'did you mean "spf.result"?'),
        ("dkim", 'did you mean "dkim.count"?'),
        ("spf", 'did you mean "spf.result" or "spf.domain"?'),
        ("Domain", 'did you mean "spf.domain" or "arc.domain"?'),
        ("count", 'did you mean "counts" or "dkim.count"?'),
        ("xyzzy", ""),
        ("", ""),
    ],
)
def test_hint_has_the_nearest_name_or_those_that_the_name_is_a_part_of(name: str, hint: str) -> None:
    names = ["spf.result", "spf.domain", "arc.trusted", "arc.domain", "dkim.count", "counts"]
    assert did_you_mean(name, names) == hint


def test_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse(b"\xef\xbb\xbfa = 1", "f").place(("a",)) == Place(1, 1)


_key = st.text(min_size=1, max_size=5).map(
    lambda text: '"' + "".join(f"\\U{ord(c):08x}" if not c.isalnum() else c for c in text) + '"'
)
_text = st.sampled_from(["'a#b'", '"x\\"]["', "'''p\n'q''''", '"""\n\\"""x""""', "''", '""'])
_value = st.recursive(
    _text | st.sampled_from(["1", "-1.5e3", "true", "1979-05-27 07:32:00", "nan"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[ # c\n" + ",\n".join(items) + "]")
        | st.dictionaries(_key, inner, max_size=3).map(
            lambda items: "{ " + ", ".join(f"{key}={value}" for key, value in items.items()) + " }"
        )
    ),
)


@given(st.lists(st.tuples(st.booleans(), st.dictionaries(_key, _value, max_size=3)), max_size=4))
def test_everything_in_a_valid_file_is_placed(tables: list[tuple[bool, dict[str, str]]]) -> None:
    lines = []
    for number, (is_array, pairs) in enumerate(tables):
        lines.append("[[ many . 'of' ]] # [x]" if is_array else f" [t{number}]")
        lines.extend(
            f"  {key} = {value} # = '" for key, value in pairs.items() if "\n" not in value or value[0] in "'\"["
        )
    text = "\n".join(lines)
    try:
        file = parse(text.encode(), "f")
    except Unreadable:
        return  # a line end in an inline table
    for path in _paths(file.data):
        assert path in file.keys
    for path, value in _texts(file.data):
        if value:
            assert file.place_in_text(path, len(value) - 1) >= file.place(path)


def _paths(data: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [found for key, value in items for found in [(*path, key), *_paths(value, (*path, key))]]


def _texts(data: object, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], str]]:
    if isinstance(data, str):
        return [(path, data)]
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [found for key, value in items for found in _texts(value, (*path, key))]
