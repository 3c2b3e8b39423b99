"""mailward rules stats, on a journal and on directories: what is printed, drawn, and the exit status."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.cli import main
from gateway.facts import FactValue
from gateway.journal import feedback
from gateway.journal.feedback import Feedback, Kind
from gateway.record import Event, Record
from tests.support.journal import FOUND, NOW, Journal, journal_at, record_of
from tests.support.rulefacts import written

OFFERS = '[[rule]]\nid = "offers"\nwhy = "x"\nwhen = \'"offer" in subject\'\nthen = "quarantine"\n'
HIGH = '[[rule]]\nid = "high"\nwhy = "x"\nwhen = "total >= 8"\nthen = "reject"\n'
LOOKING = '[[rule]]\nid = "looking"\nwhy = "x"\nwhen = "spam.score > 2.5"\nthen = "tag"\nmode = "shadow"\n'
MAILER = '[[rule]]\nid = "mailer"\nwhy = "x"\nwhen = \'"x" in header("X-Mailer")\'\nthen = "tag"\n'
IDLE = '[[rule]]\nid = "idle"\nwhy = "x"\nwhen = "dkim.partial"\nscore = 1\n'
LETTER = b"Subject: An offer\r\nFrom: ann@sender.example\r\n\r\nHello\r\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql").emptied())
    return f"sqlite://{tmp_path}/journal.db"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configured(tmp_path)


def configured(directory: Path, more: str = "") -> Path:
    written(directory / "rules.d", OFFERS + HIGH + LOOKING + MAILER + IDLE)
    file = directory / "mailward.toml"
    file.write_text(
        f'hostname = "mx.example.org"\ndomains = ["example.org"]\nstate_directory = "{directory}"\n'
        f'[rules]\nshipped = false\nsite = "{directory}/rules.d"\n'
        f'[route.default]\nhosts = ["maildir://{directory}/mail"]\n{more}'
    )
    return file


def facts(**known: FactValue) -> Mapping[str, FactValue]:
    return {**FOUND, "header.x-mailer": (), **{name.replace("_", "."): value for name, value in known.items()}}


def letter(number: int, score: float, subject: str = "A letter", **values: Any) -> Record:
    """One that was accepted then, by other rules."""
    known: dict[str, Any] = {"id": f"m{number}", "began": NOW + number, "action": "accept", "rules": ("old",)}
    return record_of(**known | {"facts": facts(spam_score=score, subject=subject)} | values)


def note(place: str, *records: Record, **said: Kind) -> None:
    with journal_at(place) as journal:
        assert journal.write(*records)[0] == len(records)
        tell(journal, **said)


def tell(journal: Journal, **said: Kind) -> None:
    words = [Feedback(began=NOW + 100, verdict=kind, source="learn", id=name) for name, kind in said.items()]
    feedback.note(journal.database, words)


def stats(config: Path, *arguments: str) -> int:
    return main(["rules", "stats", "--config", str(config), *arguments])


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def rule(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in found["rules"] if each["rule"] == name)


def test_rules_in_force_judge_what_others_have_judged_then(place: str, tmp_path: Path, capsys: Any) -> None:
    config = configured(tmp_path, f'[journal]\nurl = "{place}"\n' if place.startswith("p") else "")
    records = (letter(1, 9.0, "An offer"), letter(2, 3.0, "An offer"), letter(3, 9.0), letter(4, 0.5), letter(5, 9.5))
    note(place, *records, m1=Kind.SPAM, m2=Kind.HAM, m3=Kind.SPAM, m4=Kind.HAM, m9=Kind.HAM)
    assert stats(config, "--json") == 0
    found = told(capsys)
    assert (found["verdicts"], found["known"]) == (5, {"ham": 2, "spam": 2, "unknown": 1})
    assert (found["unjudged"], found["feedback_elsewhere"]) == (0, 1)
    assert found["actions"] == [
        {"known": "ham", "action": "accept", "count": 1},
        {"known": "ham", "action": "quarantine", "count": 1},
        {"known": "spam", "action": "reject", "count": 2},
        {"known": "unknown", "action": "reject", "count": 1},
    ]
    offers, high = rule(found, "offers"), rule(found, "high")
    assert (offers["hits"], offers["decided"], offers["verdicts"]) == (2, 1, {"reject": 1, "quarantine": 1})
    assert (offers["precision"], offers["recall"]) == (0.5, 0.5)
    assert (offers["false_positives"], offers["false_positive_names"]) == (1, ["m2"])
    assert (high["hits"], high["precision"], high["recall"], high["false_positives"]) == (3, 1.0, 1.0, 0)
    assert rule(found, "looking")["mode"] == "shadow"
    assert found["overlap"]["high"] == {"looking": 3, "offers": 1}
    assert found["thresholds"] == [
        {"measure": "spam.score", "value": 2.5, "name": "looking"},
        {"measure": "spam.score", "value": 5.0, "name": "spamd"},
        {"measure": "total", "value": 8.0, "name": "high"},
    ]
    [at_8] = [point for point in found["curves"]["total"] if point["threshold"] == 8]
    assert (at_8["spam"], at_8["ham"], at_8["messages"], at_8["spam_share"], at_8["ham_share"]) == (2, 0, 3, 1.0, 0.0)


def test_mail_that_was_refused_is_known_to_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So it is told how much of it recall leaves out; once something is known at all."""
    config, sqlite = configured(tmp_path), f"sqlite://{tmp_path}/journal.db"
    refused = (letter(2, 9.0, action="reject"), letter(3, 9.0, action="reject"), letter(4, 9.0, action="defer"))
    note(sqlite, letter(1, 9.0), *refused)
    assert stats(config) == 0
    assert "refused" not in capsys.readouterr().out
    note(sqlite, letter(5, 9.0), m1=Kind.SPAM, m2=Kind.SPAM)
    assert stats(config) == 0
    assert "\nnot known: 2 that were refused, " in capsys.readouterr().out


@pytest.fixture
def sqlite(config: Path) -> str:
    return f"sqlite://{config.parent}/journal.db"


def test_people_are_shown_tables(config: Path, sqlite: str, capsys: pytest.CaptureFixture[str]) -> None:
    records = (letter(1, 9.0, "An offer"), letter(2, 3.0, "An offer"), letter(3, 9.0), letter(4, 0.5))
    unread = letter(5, 9.0, facts={**FOUND, "spam.score": 1.0})
    refused = replace(letter(6, 0.0, action=""), event=Event.REFUSED)
    note(sqlite, *records, unread, refused, m1=Kind.SPAM, m2=Kind.HAM)
    assert stats(config) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "5 verdicts, 1 of known spam and 1 of known ham; 5 with a score of spamd"
    assert re.fullmatch("judged by [0-9a-f]{12}", lines[1])
    assert lines[2:4] == ["not counted: 1 without a verdict of rules", ""]
    assert lines[4:9] == [
        "verdict all share spam ham",
        "accept 1 20.0% 0 0",
        "quarantine 1 20.0% 0 1",
        "reject 2 40.0% 1 0",
        "undecidable 1 20.0% 0 0",
    ]
    assert "rule hits share decided alone spam ham precision recall asks for; verdicts; overlap" in lines
    assert "high 2 40.0% 2 0 1 0 100.0% 100.0% reject; reject 2; 100% also hit looking, 50% also hit offers" in lines
    assert any(line.startswith("looking 3 60.0% 0 0 1 1 50.0% 100.0% tag (shadow); ") for line in lines)
    assert "8 40.0% 100.0% 0.0% 40.0% 100.0% 0.0% total: high" in lines
    assert lines[-4:] == [
        "false positives: looking hit 1 of ham, such as m2",
        "false positives: offers hit 1 of ham, such as m2",
        "undecidable: mailer reads header.x-mailer, not known of 1 message, such as m5",
        "never hit: idle",
    ]


def test_without_feedback_nothing_is_said_of_ham_and_spam(config: Path, sqlite: str, capsys: Any) -> None:
    note(sqlite, letter(1, 9.0))
    assert stats(config) == 0
    printed = capsys.readouterr().out
    assert "1 verdict; 1 with a score of spamd\n" in printed
    assert "ham" not in printed
    assert "precision" not in printed


def test_the_last_word_on_a_message_counts(config: Path, sqlite: str, capsys: Any) -> None:
    note(sqlite, letter(1, 9.0), m1=Kind.SPAM)
    with journal_at(sqlite) as journal:
        tell(journal, m1=Kind.HAM)
    assert stats(config, "--json") == 0
    assert told(capsys)["known"] == {"ham": 1, "spam": 0, "unknown": 0}


def test_other_rules_and_a_span_of_time(config: Path, sqlite: str, tmp_path: Path, capsys: Any) -> None:
    note(sqlite, *(letter(number, 4.0) for number in range(10)))
    other = written(tmp_path / "next", HIGH.replace("8", "3.5"))
    span = ("--since", "2026-11-18T11:06:42", "--until", "2026-11-18T11:06:45")
    assert stats(config, "--json", "--rules", str(other), *span) == 0
    found = told(capsys)
    assert (found["verdicts"], [(each["rule"], each["hits"]) for each in found["rules"]]) == (3, [("high", 3)])


@pytest.fixture
def directories(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("ham", "spam"):
        (tmp_path / name).mkdir()
    return tmp_path / "ham", tmp_path / "spam"


def test_directories_of_known_mail(config: Path, directories: tuple[Path, Path], capsys: Any) -> None:
    ham, spam = directories
    (ham / "1.eml").write_bytes(LETTER)
    (spam / "1.eml").write_bytes(LETTER)
    (spam / "2.eml").write_bytes(LETTER.replace(b"An offer", b"A letter"))
    assert stats(config, "--ham", str(ham), "--spam", str(spam), "--json") == 0
    found = told(capsys)
    assert (found["verdicts"], found["known"]) == (3, {"ham": 1, "spam": 2, "unknown": 0})
    offers = rule(found, "offers")
    assert (offers["precision"], offers["recall"]) == (0.5, 0.5)
    assert offers["false_positive_names"] == [str(ham / "1.eml")]
    assert rule(found, "mailer")["undecidable"] == 0, "a field that a rule reads is read"


def test_other_rules_judge_directories_whatever_becomes_of_key_and_candidate(tmp_path: Path, capsys: Any) -> None:
    seal = '[arc.seal]\ndomain = "example.org"\nselector = "s1"\nkey = "/nowhere/key"\n'
    config = configured(tmp_path, seal)
    config.write_text(config.read_text().replace("[rules]\n", f'[rules]\ncandidate = "{tmp_path}/broken"\n'))
    written(tmp_path / "broken", "nonsense")
    (tmp_path / "spam").mkdir()
    (tmp_path / "spam" / "1.eml").write_bytes(LETTER)
    other = written(tmp_path / "next", OFFERS.replace("offers", "others"))
    assert stats(config, "--spam", str(tmp_path / "spam"), "--rules", str(other), "--json") == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert [(each["rule"], each["hits"]) for each in json.loads(printed.out)["rules"]] == [("others", 1)]


def test_a_file_that_cannot_be_read_is_told_and_left_out(
    config: Path, directories: tuple[Path, Path], capsys: Any
) -> None:
    (directories[0] / "1.eml").write_bytes(LETTER)
    (directories[0] / "2.eml").write_bytes(LETTER + b"x" * 70_000)
    config.write_text(config.read_text() + "[session]\nmax_size = 65536\n")
    assert stats(config, "--ham", str(directories[0])) == 0
    printed = capsys.readouterr()
    assert "2.eml: larger than [session] max_size" in printed.err
    assert "not counted: 1 that cannot be read\n" in printed.out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--ham", "/nowhere"), "/nowhere:1:1: is no directory\n"),
        (("--ham", "/tmp", "--rules", "/nowhere"), "/nowhere:1:1: is no directory\n"),
        (("--ham", "/tmp", "--since", "7d"), "mailward rules stats: --since and --until are about the journal, "),
        (("--since", "7d"), "there is no journal yet"),
    ],
)
def test_what_cannot_be_counted_is_an_error(
    config: Path, arguments: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stats(config, *arguments) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(("name", "beginning"), [("x.html", b"<!doctype html>"), ("x.png", b"\x89PNG")])
def test_a_picture_is_drawn(config: Path, sqlite: str, name: str, beginning: bytes) -> None:
    note(sqlite, letter(1, 9.0), letter(2, 1.0))
    assert stats(config, "--picture", str(config.parent / name)) == 0
    assert (config.parent / name).read_bytes().startswith(beginning)


def test_what_cannot_be_drawn_is_an_error(config: Path, sqlite: str, capsys: pytest.CaptureFixture[str]) -> None:
    note(sqlite, letter(1, 9.0, facts=facts(spam_result="busy")))
    assert stats(config, "--picture", str(config.parent / "x.png")) == 2
    assert "no message has a score: there is nothing to draw" in capsys.readouterr().err
    note(sqlite, letter(2, 9.0))
    assert stats(config, "--picture", str(config.parent / "no" / "x.png")) == 2
    assert "x.png: No such file or directory" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        stats(config, "--picture", "x.jpeg")
    assert "x.jpeg ends neither with .html nor with .png" in capsys.readouterr().err


def test_without_matplotlib_it_is_said_how_it_is_installed(config: Path) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from gateway.cli import main\n"
        "sys.exit(main(['rules', 'stats', '--config', sys.argv[1], '--picture', 'x.png']))"
    )
    done = subprocess.run([sys.executable, "-c", program, config], capture_output=True, text=True, check=False)
    told = "mailward rules stats: --picture needs matplotlib: pip install 'mailward[pictures]'\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_nothing_of_a_sender_drives_a_terminal(
    config: Path, directories: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("\x1b[2J.eml", os.fsdecode(b"\xff.eml")):
        (directories[0] / name).write_bytes(LETTER)
    assert stats(config, "--ham", str(directories[0])) == 0
    printed = capsys.readouterr().out
    assert "?[2J.eml" in printed
    assert "/?.eml" in printed
    assert "\x1b" not in printed
