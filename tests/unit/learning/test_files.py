"""What is named on a command line becomes files with messages."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gateway.learning.files import STDIN, Unread, files_of

NOBODY = 65534


def tree(root: Path, *files: str) -> None:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names(root: Path, *named: Path) -> list[str]:
    return [str(file.relative_to(root)) for file in files_of(named or [root]) if isinstance(file, Path)]


def test_files_and_standard_input_are_themselves(tmp_path: Path) -> None:
    assert list(files_of([tmp_path / "missing", STDIN])) == [tmp_path / "missing", STDIN]


def test_of_a_maildir_come_its_messages_and_not_those_of_other_folders(tmp_path: Path) -> None:
    tree(tmp_path, "cur/2:2,S", "new/1", "tmp/3", ".Junk/cur/4", ".Junk/new/5", "Junk/cur/6", "dovecot.index")
    assert names(tmp_path) == ["cur/2:2,S", "new/1"]


def test_of_another_directory_come_all_files_below_it(tmp_path: Path) -> None:
    tree(tmp_path, "b.eml", "a/1", "a/c/2", "user/Junk/cur/3", "user/Junk/new/4", "user/Junk/tmp/5", ".hidden/6", ".7")
    assert names(tmp_path) == ["a/1", "a/c/2", "b.eml", "user/Junk/cur/3", "user/Junk/new/4"]


def test_links_in_a_directory_are_not_followed(tmp_path: Path) -> None:
    tree(tmp_path, "outside", "in/1")
    (tmp_path / "in/link").symlink_to(tmp_path / "outside")
    (tmp_path / "in/all").symlink_to(tmp_path)
    assert names(tmp_path, tmp_path / "in") == ["in/1"]


def test_a_maildir_is_none_whose_parts_are_links(tmp_path: Path) -> None:
    tree(tmp_path, "ann/cur/1", "ann/new/2", "bob/new/3", "bob/.hidden")
    (tmp_path / "bob/cur").symlink_to(tmp_path / "ann/cur")
    assert names(tmp_path, tmp_path / "bob") == ["bob/new/3"]


def test_directories_may_be_nested_as_deep_as_a_path_can_be(tmp_path: Path) -> None:
    depth = range(1500)
    with contextlib.chdir(tmp_path):
        for _ in depth:
            os.mkdir("a")
            os.chdir("a")
        Path("letter").touch()
        try:
            found = list(files_of([tmp_path]))
        finally:  # whoever removes it later would do so by recursion
            os.remove("letter")
            for _ in depth:
                os.chdir("..")
                os.rmdir("a")
    assert found == [tmp_path.joinpath(*["a" for _ in depth], "letter")]


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_directory_that_cannot_be_listed_is_told_and_passed_over() -> None:
    with tempfile.TemporaryDirectory() as made:  # pytest's own is closed to others
        root = Path(made)
        root.chmod(0o755)
        tree(root, "a/1", "closed/2", "z/3")
        (root / "closed").chmod(0)
        with unprivileged():
            found = list(files_of([root]))
        (root / "closed").chmod(0o700)
    assert found == [root / "a/1", Unread(path=root / "closed", reason="Permission denied"), root / "z/3"]


def test_a_path_that_nobody_can_have_is_left_to_whoever_opens_it() -> None:
    path = Path("x" * 5000)
    assert list(files_of([path])) == [path]
