"""The panic switch, and the command that turns it."""

from pathlib import Path

import pytest

from gateway.cli import main
from gateway.system.panic import Panic

CONFIGURATION = """
hostname = "mx.example.org"
domains = ["example.org"]
state_directory = "{state}"

[route.default]
hosts = ["smtp://127.0.0.1:10025"]
"""


def test_switch_is_seen_by_everyone_at_once(tmp_path: Path) -> None:
    here, there = Panic(tmp_path), Panic(tmp_path)
    assert not there.is_on()
    here.switch_on("too many false positives")
    assert there.is_on()
    assert there.why() == "too many false positives"
    here.switch_off()
    here.switch_off()
    assert not there.is_on()
    assert there.why() == ""


def test_note_cannot_steer_a_terminal(tmp_path: Path) -> None:
    panic = Panic(tmp_path)
    Path(panic.path).write_bytes(b"\x1b[2Jone\ntwo\xff" + b"x" * 10_000)
    assert panic.why().startswith("[2Jone two�xxx")
    assert len(panic.why()) <= 500


def test_command_turns_the_switch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "mailward.toml"
    config.write_text(CONFIGURATION.format(state=tmp_path))
    command = ["panic", "--config", str(config)]
    assert main([*command, "status"]) == 0
    assert main([*command, "on", "--why", "a rule went wrong"]) == 0
    assert Panic(tmp_path).is_on()
    assert main([*command, "status"]) == 1
    assert "panic is on: a rule went wrong" in capsys.readouterr().out
    assert main([*command, "off"]) == 0
    assert not Panic(tmp_path).is_on()


def test_directory_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "mailward.toml"
    config.write_text(CONFIGURATION.format(state=tmp_path / "missing"))
    assert main(["panic", "on", "--config", str(config)]) == 1
    assert "No such file or directory" in capsys.readouterr().err
