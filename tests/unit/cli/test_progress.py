"""How far a command has come is told to whoever looks on."""

import os
import pty
import sys

import pytest

from gateway.cli.progress import tell_progress


def test_a_terminal_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    outside, inside = pty.openpty()
    with os.fdopen(outside, "rb", buffering=0) as seen, os.fdopen(inside, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        for number in range(1, 26):
            tell_progress(number)
        expected = b"\r10 messages\r\r20 messages\r"
        told = b""
        while len(told) < len(expected):  # a terminal hands on what it has, in pieces
            told += seen.read(1000)
        assert told == expected


def test_nobody_else_is(capsys: pytest.CaptureFixture[str]) -> None:
    tell_progress(10)
    assert capsys.readouterr().err == ""
