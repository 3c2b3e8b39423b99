import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.delivery.label import Label, LabelError, parse_line, to_line
from gateway.delivery.maildir import MaildirHop, MaildirNames
from gateway.delivery.quarantine import Quarantine, QuarantineSettings, read
from gateway.delivery.release import release
from gateway.policy.verdict import UNDECIDED, Action, Hit, Mode, Verdict
from gateway.system import threads
from tests.support.deliveries import BODY, CONNECTION, HEADER, Hanging, disk_threads, envelope, route, stamped
from tests.support.downstream import Downstream

VERDICT = Verdict(
    action=Action.QUARANTINE,
    hits=(Hit(rule="dmarc-quarantine", why="DMARC says so", mode=Mode.ENFORCE, action=Action.QUARANTINE, score=0.0),),
)


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def quarantine(tmp_path: Path, clock: Clock) -> Iterator[Quarantine]:
    with opened(tmp_path, clock) as quarantine:
        yield quarantine


@contextlib.contextmanager
def opened(directory: Path, clock: Clock, **settings: Any) -> Iterator[Quarantine]:
    with disk_threads() as disk:
        yield Quarantine(QuarantineSettings(directory=directory / "quarantine", **settings), disk, clock=clock)


async def store(quarantine: Quarantine, identity: str = "m1", *recipients: str, octets: bytes = BODY) -> str:
    kept = replace(envelope(*recipients or ("bob@example.org",)), id=identity)
    return str((await quarantine.store(CONNECTION, kept, stamped(octets), VERDICT)).reply)


async def test_a_message_is_kept_with_its_envelope_in_one_file(quarantine: Quarantine) -> None:
    assert await store(quarantine) == "250 2.0.0 Accepted as m1"
    (entry,) = quarantine.entries()
    assert (entry.id, entry.stored) == ("m1", 1_700_000_000)
    kept = read(entry)
    assert kept.label.envelope == envelope("bob@example.org")
    assert kept.label.connection == CONNECTION
    assert (kept.label.reason, kept.label.rules) == ("DMARC says so", ("dmarc-quarantine",))
    assert b"".join(kept.stamped.chunks()) == HEADER + BODY
    assert entry.size == entry.path.stat().st_size


async def test_beyond_the_quota_a_message_stays_with_its_sender(tmp_path: Path, clock: Clock) -> None:
    with opened(tmp_path, clock, max_messages=2) as quarantine:
        assert [(await store(quarantine, name))[:9] for name in ("a", "b", "c")] == [
            "250 2.0.0",
            "250 2.0.0",
            "452 4.3.1",
        ]
        assert len(quarantine.entries()) == 2
        clock.now += 61
        quarantine.entries()[0].path.unlink()
        assert (await store(quarantine, "d")).startswith("250")


async def test_the_quota_counts_octets_too(tmp_path: Path, clock: Clock) -> None:
    with opened(tmp_path, clock, max_size=1000) as quarantine:
        assert (await store(quarantine, octets=b"\r\n" + b"x" * 1000)).startswith("452 4.3.1")
        assert (await store(quarantine)).startswith("250")


async def test_a_new_process_counts_what_is_there(tmp_path: Path, clock: Clock) -> None:
    with opened(tmp_path, clock) as first:
        await store(first, "a")
    with opened(tmp_path, clock, max_messages=1) as second:
        assert (await store(second, "b")).startswith("452")


async def test_what_is_too_old_is_removed(quarantine: Quarantine, clock: Clock) -> None:
    await store(quarantine, "old")
    clock.now += 29 * 86400
    await store(quarantine, "young")
    clock.now += 2 * 86400
    assert quarantine.purge() == 1
    assert [entry.id for entry in quarantine.entries()] == ["young"]


async def test_what_a_killed_process_has_left_half_written_goes_too(quarantine: Quarantine, clock: Clock) -> None:
    await store(quarantine, "kept")
    draft = quarantine.directory / "tmp" / f"{int(clock.now)}.m9,S=5000"
    draft.write_text("half a mess")
    clock.now += 29 * 86400
    assert quarantine.purge() == 0
    assert draft.exists()
    clock.now += 2 * 86400
    assert quarantine.purge() == 1
    assert not draft.exists()


async def test_a_clock_that_was_set_back_does_not_keep_an_old_count(tmp_path: Path, clock: Clock) -> None:
    with opened(tmp_path, clock, max_messages=1) as quarantine:
        await store(quarantine, "a")
        clock.now -= 30 * 86400
        quarantine.entries()[0].path.unlink()
        assert (await store(quarantine, "b")).startswith("250")


async def test_a_directory_of_somebody_else_is_not_used(tmp_path: Path, clock: Clock) -> None:
    somebody = "nobody" if os.geteuid() == 0 else "root"
    with opened(tmp_path, clock, owner=somebody) as quarantine:
        assert (await store(quarantine)).startswith("451 4.3.0")
        assert quarantine.entries() == []


async def test_a_disk_that_hangs_defers(quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "DISK_PATIENCE", 0.01)
    content = Hanging(BODY)
    try:
        async with asyncio.timeout(5):
            outcome = await quarantine.store(CONNECTION, envelope("bob@example.org"), content.stamped, VERDICT)
    finally:
        content.released.set()
    assert str(outcome.reply).startswith("451 4.4.2")


async def test_files_of_others_are_passed_over(quarantine: Quarantine) -> None:
    await store(quarantine)
    (quarantine.directory / "new" / "a letter").write_text("x")
    (entry,) = quarantine.entries()
    read_by_somebody = quarantine.directory / "cur" / f"{entry.path.name}:2,S"
    entry.path.rename(read_by_somebody)
    found = quarantine.find("m1")
    assert found is not None
    assert found.path == read_by_somebody


@pytest.mark.parametrize("identity", ["", "..", "../x", "a/b", "*", "m2"])
async def test_an_id_is_only_compared(quarantine: Quarantine, identity: str) -> None:
    await store(quarantine)
    assert quarantine.find(identity) is None


async def test_a_released_message_goes_to_its_recipients_and_is_gone(quarantine: Quarantine) -> None:
    await store(quarantine, "m1", "bob@example.org", "carol@example.org")
    async with Downstream() as server:
        with route(server.endpoint) as hop:
            results = await release(quarantine, read(quarantine.entries()[0]), lambda _: hop)
    assert [str(result.reply)[:3] for result in results] == ["250", "250"]
    assert server.messages == [b"X-Mailward-Quarantine-Release: m1\r\n" + HEADER + BODY]
    assert "ADDR=192.0.2.7" in server.sessions[0].commands[1]
    assert quarantine.entries() == []


async def test_the_mark_that_would_put_a_released_message_away_again_is_gone(quarantine: Quarantine) -> None:
    marked = stamped(BODY, header=b"X-Mailward-Quarantine: dmarc\r\nX-Mailward-Tag: x\r\n")
    await quarantine.store(CONNECTION, envelope("bob@example.org"), marked, VERDICT)
    async with Downstream() as server:
        with route(server.endpoint) as hop:
            await release(quarantine, read(quarantine.entries()[0]), lambda _: hop)
    assert server.messages == [b"X-Mailward-Quarantine-Release: m1\r\nX-Mailward-Tag: x\r\n" + BODY]


async def test_who_did_not_get_it_stays_in_the_envelope(quarantine: Quarantine) -> None:
    await store(quarantine, "m1", "bob@example.org", "carol@example.org")
    async with Downstream({"RCPT": ["250 Ok", "452 4.2.2 Full"]}) as server:
        with route(server.endpoint) as hop:
            results = await release(quarantine, read(quarantine.entries()[0]), lambda _: hop)
            assert [str(result.reply)[:3] for result in results] == ["250", "452"]
            (entry,) = quarantine.entries()
            assert read(entry).label.envelope == envelope("carol@example.org")
            await release(quarantine, read(entry), lambda _: hop)
    assert quarantine.entries() == []
    assert len(server.messages) == 2


async def test_recipients_without_a_route_stay(quarantine: Quarantine) -> None:
    await store(quarantine)
    (result,) = await release(quarantine, read(quarantine.entries()[0]), lambda _: None)
    assert str(result.reply).startswith("450 4.4.4")
    assert len(quarantine.entries()) == 1


async def test_a_message_can_be_released_into_a_maildir(quarantine: Quarantine, tmp_path: Path) -> None:
    await store(quarantine)
    with disk_threads() as disk:
        hop = MaildirHop("files", tmp_path / "mail", disk=disk, names=MaildirNames("mx"))
        await release(quarantine, read(quarantine.entries()[0]), lambda _: hop)
    (file,) = (tmp_path / "mail" / "example.org" / "bob" / "new").iterdir()
    assert file.read_bytes().endswith(b"X-Mailward-Quarantine-Release: m1\r\n" + HEADER + BODY)


@given(st.text(max_size=50), st.lists(st.text(max_size=10)))
def test_a_label_is_one_line_and_reads_as_it_was_written(reason: str, rules: list[str]) -> None:
    label = Label(reason=reason, rules=tuple(rules), connection=CONNECTION, envelope=envelope("bob@example.org"))
    line = to_line(label)
    assert line.count(b"\n") == line.count(b"\r") == 1
    assert parse_line(line) == label


LINE = to_line(Label(reason="", rules=(), connection=CONNECTION, envelope=envelope("bob@example.org")))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\r\n",
        b"X-Mailward-Quarantined: {}\r\n",
        b"X-Mailward-Quarantined: {",
        b'X-Mailward-Quarantined: {"deep":' + b"[" * 100_000 + b"\r\n",
        b"Subject: x\r\n",
        LINE.replace(b'"192.0.2.7"', b"null"),
        LINE.replace(b'"192.0.2.7"', b'"nowhere"'),
    ],
    ids=lambda line: line[:40].decode(),
)
def test_what_is_no_label_is_an_error(line: bytes) -> None:
    with pytest.raises(LabelError):
        parse_line(line)


async def test_a_message_is_found_by_the_id_that_the_log_has(tmp_path: Path) -> None:
    with disk_threads() as disk:
        quarantine = Quarantine(QuarantineSettings(directory=tmp_path / "q"), disk)
        await quarantine.store(CONNECTION, replace(envelope(), id="m8856vas.1"), stamped(), UNDECIDED)
        assert quarantine.find("m8856vas.1") is not None
        assert quarantine.find("m8856vas-1") == quarantine.find("m8856vas.1")
