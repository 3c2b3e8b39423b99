import asyncio
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.delivery.durable import make_maildir, write_draft
from gateway.delivery.maildir import MaildirHop, MaildirNames, mailbox
from gateway.envelope import Address, Envelope
from gateway.message import Message, Stamped
from gateway.system import threads
from tests.support.deliveries import (
    BODY,
    CONNECTION,
    HEADER,
    Hanging,
    Octets,
    disk_threads,
    envelope,
    recipient,
    stamped,
)

LOCAL = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=64)


@pytest.fixture
def hop(tmp_path: Path) -> Iterator[MaildirHop]:
    with disk_threads() as disk:
        yield MaildirHop("files", tmp_path / "mail", disk=disk, names=MaildirNames("mx.example.org"))


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


async def send(hop: MaildirHop, sent: Envelope, message: Stamped) -> str:
    delivery = hop.open(CONNECTION, envelope(), "")
    try:
        return str((await delivery.send(sent, message)).reply)
    finally:
        await delivery.close()


async def test_a_message_is_stored_with_its_return_path(hop: MaildirHop) -> None:
    assert await send(hop, envelope("Bob@example.org"), stamped()) == "250 2.0.0 Stored as m1"
    (file,) = files(hop.root)
    assert file.parent == hop.root / "example.org" / "bob" / "new"
    trace = b"Return-Path: <alice@example.com>\r\nDelivered-To: Bob@example.org\r\n"
    assert file.read_bytes() == trace + HEADER + BODY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_the_null_sender_has_an_empty_return_path(hop: MaildirHop) -> None:
    await send(hop, envelope("bob@example.org", sender=""), stamped())
    assert files(hop.root)[0].read_bytes().startswith(b"Return-Path: <>\r\n")


async def test_each_recipient_gets_a_file(hop: MaildirHop) -> None:
    await send(hop, envelope("bob@example.org", "carol@example.net", "dave@example.org"), stamped())
    assert [file.parent.parent.name for file in files(hop.root)] == ["carol", "bob", "dave"]


async def test_a_recipient_that_is_named_twice_gets_one_file(hop: MaildirHop) -> None:
    await send(hop, envelope("Bob@example.org", "carol@example.org", "bob@example.org"), stamped())
    assert [file.parent.parent.name for file in files(hop.root)] == ["bob", "carol"]
    assert b"Delivered-To: Bob@example.org\r\n" in files(hop.root)[0].read_bytes()


async def test_if_one_recipient_fails_none_has_the_message(hop: MaildirHop) -> None:
    make_maildir(hop.root / "example.org" / "bob")
    (hop.root / "example.org" / "carol").write_text("in the way")
    told = await send(hop, envelope("bob@example.org", "carol@example.org"), stamped())
    assert told.startswith("451 4.3.0")
    assert files(hop.root) == [hop.root / "example.org" / "carol"]


async def test_if_a_file_cannot_be_shown_none_is(hop: MaildirHop) -> None:
    for user in ("bob", "carol"):
        make_maildir(hop.root / "example.org" / user)
    (hop.root / "example.org" / "carol" / "new").rmdir()
    (hop.root / "example.org" / "carol" / "new").write_text("in the way")
    told = await send(hop, envelope("bob@example.org", "carol@example.org"), stamped())
    assert told.startswith("451 4.3.0")
    assert files(hop.root) == [hop.root / "example.org" / "carol" / "new"]


async def test_a_full_disk_defers_and_leaves_nothing(hop: MaildirHop) -> None:
    class Full(Octets):
        def chunks(self, start: int = 0) -> Iterator[bytes]:
            yield b"x"
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    message = Stamped(header=HEADER, message=Message((), Full(BODY), header_size=0))
    assert (await send(hop, envelope("bob@example.org"), message)).startswith("452 4.3.1")
    assert files(hop.root) == []


async def test_a_message_that_cannot_be_read_to_its_end_is_not_stored(hop: MaildirHop) -> None:
    class Short(Octets):
        def chunks(self, start: int = 0) -> Iterator[bytes]:
            yield self.octets[start:-1]

    message = Stamped(header=HEADER, message=Message((), Short(BODY), header_size=0))
    assert (await send(hop, envelope("bob@example.org"), message)).startswith("451 4.3.0")
    assert files(hop.root) == []


async def test_a_disk_that_hangs_defers_and_what_it_stores_later_is_no_error(
    hop: MaildirHop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "DISK_PATIENCE", 0.01)
    content = Hanging(BODY)
    try:
        async with asyncio.timeout(5):
            assert (await send(hop, envelope("bob@example.org"), content.stamped)).startswith("451 4.4.2")
    finally:
        content.released.set()
    hop.disk.shutdown()
    (file,) = files(hop.root)
    assert file.parent.name == "new"


async def test_any_recipient_is_taken_if_its_name_fits(hop: MaildirHop) -> None:
    delivery = hop.open(CONNECTION, envelope(), "")
    assert (await delivery.recipient(recipient("anyone@example.org"))).is_success
    assert (await delivery.recipient(recipient("postmaster"))).is_success
    long = replace(recipient("bob@example.org"), address=Address("b", "-." * 60 + "[" * 100))
    assert str(await delivery.recipient(long)).startswith("553 5.1.3")


@pytest.mark.parametrize(
    ("local", "domain", "where"),
    [
        ("bob", "example.org", "example.org/bob"),
        ("bob+tag", "example.org", "example.org/bob+tag"),
        ('"../../etc"', "example.org", "example.org/%2E.%2F..%2Fetc"),
        ('".."', "..", "%2E./%2E."),
        ('"."', "example.org", "example.org/%2E"),
        ('"a/b"', "example.org", "example.org/a%2Fb"),
        ("a%2fb", "example.org", "example.org/a%252fb"),
        ('""', "example.org", "example.org/%"),
        ("jörg", "example.org", "example.org/j%C3%B6rg"),
        ("postmaster", "", "localhost/postmaster"),
        ('"a\x00b"', "example.org", "example.org/a%00b"),
    ],
)
def test_hostile_addresses_stay_below_the_root(local: str, domain: str, where: str) -> None:
    assert mailbox(Path("/mail"), Address(local, domain)) == Path("/mail") / where


@given(LOCAL, LOCAL)
def test_a_mailbox_is_always_two_levels_below_the_root(local: str, domain: str) -> None:
    path = Path(os.path.normpath(mailbox(Path("/mail"), Address(local, domain))))
    assert path.parent.parent == Path("/mail")
    assert path.name not in (".", "..")
    assert path.name.isascii()


@given(LOCAL, LOCAL)
def test_two_addresses_share_a_mailbox_only_if_they_differ_in_case_alone(first: str, second: str) -> None:
    one, other = (Address(local, "example.org") for local in (first, second))
    same = mailbox(Path("/mail"), one) == mailbox(Path("/mail"), other)
    assert same == (one.bare_local == other.bare_local)


def test_names_are_unique() -> None:
    names = MaildirNames("mx/../example.org")
    made = {names.next() for _ in range(1000)}
    assert len(made) == 1000
    assert all("/" not in name and ":" not in name for name in made)


def test_a_name_that_is_taken_is_not_overwritten(tmp_path: Path) -> None:
    make_maildir(tmp_path / "m")
    write_draft(tmp_path / "m", "name", [b"one"], size=3)
    with pytest.raises(FileExistsError):
        write_draft(tmp_path / "m", "name", [b"two"], size=3)
    assert (tmp_path / "m" / "tmp" / "name").read_bytes() == b"one"
