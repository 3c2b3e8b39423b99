"""mailward check --rules: why a rule does not match."""

from pathlib import Path

import pytest

from gateway.cli import main
from tests.support.gateway import dns_process

LETTER = b"From: ann@sender.example\r\nSubject: A letter\r\n\r\nDear Alice,\r\n"
RULES = """
[[rule]]
id = "letters"
why = "x"
when = 'subject == "A letter"'
add = { X-Class = "letter" }
scan = "skip"

[[rule]]
id = "bills"
why = "x"
when = 'subject == "A bill" or now.hour == 99'
then = "reject"
"""


def report(directory: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    (directory / "rules.d").mkdir()
    (directory / "rules.d" / "10.toml").write_text(RULES)
    (directory / "letter.eml").write_bytes(LETTER)
    config = directory / "mailward.toml"
    with dns_process(directory / "dns", "$TTL 300\n") as dns:
        config.write_text(
            f'hostname = "mx.example.org"\ndomains = ["example.org"]\nstate_directory = "{directory}"\n'
            f'[dns]\nservers = ["{dns}"]\n[rules]\nsite = "{directory}/rules.d"\n'
            f'[route.default]\nhosts = ["maildir://{directory}/mail"]\n'
        )
        command = ["check", str(directory / "letter.eml"), "--ip", "192.0.2.7", "--config", str(config), *options]
        assert main(command) == 0
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_only_rules_that_match_are_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = report(tmp_path, capsys)
    assert "rule letters: adds X-Class, is not scored x" in lines
    assert not [line for line in lines if line.startswith("no match")]


def test_a_rule_that_is_asked_for_is_explained_part_by_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = report(tmp_path, capsys, "--rules", "bills")
    at = lines.index("no match bills: reject x")
    assert lines[at + 1] == "no subject == \"A bill\" (subject is 'A letter')"
    assert lines[at + 2].startswith("no now.hour == 99 (now.hour is ")
    assert len([line for line in lines if line.startswith("no match")]) == 1


def test_all_explains_every_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = report(tmp_path, capsys, "--rules", "all")
    assert {"no match bills: reject x"} <= set(lines)
    assert len([line for line in lines if line.startswith("no match")]) > 10
