import argparse
import asyncio
import os
from pathlib import Path

import pytest

from gateway.cli import quarantine as command
from gateway.config import load
from gateway.delivery.quarantine import Quarantine
from gateway.policy.verdict import Action, Hit, Mode, Verdict
from tests.support.deliveries import CONNECTION, disk_threads, envelope, stamped

CONFIG = """
hostname = "mx.example.org"
domains = ["example.org"]
[route.default]
hosts = ["maildir://{directory}/mail"]
[quarantine]
directory = "{directory}/quarantine"
"""
NOBODY = 65534
NAMELESS = 2**31 - 7  # an account that no host has
HIT = Hit(rule="r", why="It \x1b[2J looked bad", mode=Mode.ENFORCE, action=Action.QUARANTINE, score=0.0)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose quarantine holds the message m1."""
    file = tmp_path / "mailward.toml"
    file.write_text(CONFIG.format(directory=tmp_path))
    with disk_threads() as disk:
        quarantine = Quarantine(load(file).quarantine, disk)
        verdict = Verdict(action=Action.QUARANTINE, hits=(HIT,))
        outcome = asyncio.run(quarantine.store(CONNECTION, envelope("bob@example.org"), stamped(), verdict))
    assert outcome.reply.is_success
    return file


def run(config: Path, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    options = parser.parse_args(["quarantine", "--config", str(config), *arguments])
    status: int = options.run(options)
    return status


def test_list_shows_what_is_there(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, "list") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "m1" in shown
    assert "alice@example.com" in shown
    assert "\x1b" not in shown


def test_show_prints_the_message_with_its_label(config: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(config, "show", "m1") == 0
    shown = capfdbinary.readouterr().out
    assert shown.startswith(b"X-Mailward-Quarantined: {")
    assert b"\r\n\r\nHello.\r\n" in shown


def test_release_delivers_and_removes(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, "release", "m1") == 0
    assert capsys.readouterr().out == "bob@example.org: 250 2.0.0 Stored as m1\n"
    assert len(list((config.parent / "mail" / "example.org" / "bob" / "new").iterdir())) == 1
    assert run(config, "release", "m1") == 1


def test_purge_says_how_much_went(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, "purge") == 0
    assert capsys.readouterr().out == "0 messages removed\n"


def test_an_unknown_id_is_said_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, "show", "../m1") == 1
    assert "there is no message ../m1" in capsys.readouterr().err


def test_without_a_directory_there_is_no_quarantine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mailward.toml"
    file.write_text(CONFIG.format(directory=tmp_path).partition("[quarantine]")[0])
    assert run(file, "list") == 2
    assert "no directory" in capsys.readouterr().err


@pytest.mark.parametrize("action", [("release", "m1"), ("purge",)])
def test_root_makes_and_removes_nothing_in_the_quarantine_of_another(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, action: tuple[str, ...]
) -> None:
    directory = config.parent / "quarantine"
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert run(config, *action) == 1
    assert f"runuser -u {directory.owner()} -- mailward quarantine" in capsys.readouterr().err
    assert len(list((directory / "new").iterdir())) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_an_owner_without_a_name_is_told_by_his_number(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.chown(config.parent / "quarantine", NAMELESS, NAMELESS)
    assert run(config, "purge") == 1
    assert f"runuser -u {NAMELESS} --" in capsys.readouterr().err
