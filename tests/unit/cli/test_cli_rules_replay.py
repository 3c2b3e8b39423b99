"""mailward rules replay and explain, on a journal: what is printed, and the exit status."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.cli import main
from gateway.facts import FactValue, Stage
from gateway.record import Event, Record
from gateway.system.redaction import Redactable, Redaction
from tests.support.journal import FOUND, NOW, journal_at, record_of
from tests.support.rulefacts import written

REJECTING = '[[rule]]\nid = "offers"\nwhy = "x"\nwhen = \'"offer" in subject and spam.score > 1\'\nthen = "reject"\n'
READING = '[[rule]]\nid = "mailer"\nwhy = "x"\nwhen = \'"x" in header("X-Mailer")\'\nthen = "reject"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "rules.d").mkdir()
    file = tmp_path / "mailward.toml"
    file.write_text(
        f'hostname = "mx.example.org"\ndomains = ["example.org"]\nstate_directory = "{tmp_path}"\n'
        f'[rules]\nshipped = false\nsite = "{tmp_path}/rules.d"\n'
        f'[route.default]\nhosts = ["maildir://{tmp_path}/mail"]\n'
    )
    return file


def letter(number: int, *, sender: str = "ann@sender.example", **values: Any) -> Record:
    """A message that was accepted."""
    known: dict[str, Any] = {"action": "accept", "rules": (), "shadow": ()}
    return record_of(**known | {"id": f"m{number}", "began": NOW + number, "sender": sender} | values)


def facts(**known: FactValue) -> Mapping[str, FactValue]:
    return {**FOUND, **{name.replace("_", "."): value for name, value in known.items()}}


def note(config: Path, *records: Record, **more: Any) -> None:
    with journal_at(f"sqlite://{config.parent}/journal.db", **more) as journal:
        assert journal.write(*records)[0] == len(records)


def run(config: Path, *arguments: str) -> int:
    command, *more = arguments
    return main(["rules", command, "--config", str(config), *more])


def replay(config: Path, text: str, *more: str) -> int:
    candidate = written(config.parent / "next", text)
    return run(config, "replay", "--since", "2026-11-01", "--rules", str(candidate), *more)


def test_changes_are_counted_and_listed_by_sender(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    offer = facts(subject="An offer")
    note(
        config,
        letter(1, sender="zoe@sender.example", facts=offer),
        letter(2, sender="Ann@sender.example", facts=offer),
        letter(3),
        letter(4, sender="", facts=offer, action="quarantine"),
    )
    assert replay(config, REJECTING) == 1
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == ["3 of 4 verdicts would change", "2 from accept to reject", "1 from quarantine to reject"]
    assert [line.split(" 2026-")[0] for line in lines[3:]] == [
        "<> quarantine -> reject m4",
        "Ann@sender.example accept -> reject m2",
        "zoe@sender.example accept -> reject m1",
    ]
    assert lines[3].endswith("by offers, for alice@example.org, bob@example.org")


def test_where_nothing_changes_the_status_is_0(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note(config, letter(1), letter(2))
    assert replay(config, REJECTING) == 0
    assert capsys.readouterr().out == "0 of 2 verdicts would change\n"


def test_what_cannot_be_decided_is_told_and_does_not_count_as_unchanged(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note(config, letter(1), letter(2, action="reject", facts=facts(spam_score=9.0, subject="An offer")))
    assert replay(config, READING + REJECTING) == 1
    assert capsys.readouterr().out.splitlines() == [
        "0 of 2 verdicts would change, 1 is undecidable",
        "undecidable: rule mailer reads header.x-mailer, not recorded of 2 messages, such as m1",
    ]


def test_programs_are_told_the_same_as_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note(config, *(letter(number, facts=facts(subject="An offer")) for number in range(1, 6)))
    assert replay(config, READING + REJECTING, "--json", "--limit", "2") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["verdicts"], told["changed"], told["undecidable"]) == (5, 5, 0)
    assert told["changes"] == [{"then": "accept", "now": "reject", "count": 5}]
    assert told["undecidable_rules"] == [{"rule": "mailer", "facts": ["header.x-mailer"], "messages": 5, "first": "m1"}]
    assert [message["id"] for message in told["messages"]] == ["m1", "m2"]
    assert told["messages"][0]["rules_now"] == ["offers"]


def test_a_list_that_is_cut_says_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note(config, *(letter(number, facts=facts(subject="An offer")) for number in range(1, 6)))
    replay(config, REJECTING, "--limit", "2")
    assert capsys.readouterr().out.splitlines()[-1] == "and 3 more: --limit lists them"
    assert replay(config, REJECTING, "--limit", "0") == 1
    assert capsys.readouterr().out.splitlines() == [
        "5 of 5 verdicts would change",
        "  5 from accept to reject",
        "and 5 more: --limit lists them",
    ]


def test_only_what_began_between_is_replayed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note(config, *(letter(number) for number in range(10)))
    since, until = "2026-11-18T11:06:42", "2026-11-18T11:06:45+00:00"
    assert NOW == 1_795_000_000
    assert run(config, "replay", "--since", since, "--until", until) == 0
    assert capsys.readouterr().out == "0 of 3 verdicts would change\n"
    with pytest.raises(SystemExit):
        run(config, "replay", "--since", "yesterday")
    assert '"yesterday" is neither 7d, 12h, 30m nor 2026-11-27T08:00' in capsys.readouterr().err


def test_without_other_rules_those_of_the_configuration_are_replayed(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note(config, letter(1, facts=facts(subject="An offer")))
    written(config.parent / "rules.d", REJECTING)
    assert run(config, "replay", "--since", "2026-11-01") == 1
    assert capsys.readouterr().out.startswith("1 of 1 verdicts would change")


def test_a_recipient_that_a_rule_refused_has_a_verdict_and_others_have_none(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    early = {"client.helo": "[", "recipients": ("alice@example.org",)}
    known: dict[str, Any] = {"settled": Stage.MAIL, "facts": early, "stage": "rcpt"}
    note(
        config,
        replace(letter(1, **known, action="reject"), event=Event.REFUSED),
        replace(letter(2, **known, action=""), event=Event.REFUSED),
        replace(letter(3, **known, action=""), event=Event.LOST),
        letter(4, settled=Stage.RCPT, facts=early, action="reject"),  # a loop: no rule was asked
    )
    helo = "[[rule]]\nid = 'helo'\nwhy = 'x'\nwhen = 'client.helo == \"[\"'\nthen = 'defer'\n"
    assert replay(config, helo, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["verdicts"], told["unjudged"]) == (1, 3)
    assert [(message["then"], message["now"]) for message in told["messages"]] == [("reject", "defer")]


def test_a_redacted_fact_is_not_taken_for_an_empty_one(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note(config, letter(1, facts=facts(subject="An offer")), redact={Redactable.SUBJECT: Redaction.DROP})
    assert replay(config, REJECTING) == 1
    assert "undecidable: rule offers reads subject, not recorded of 1 message, such as m1" in capsys.readouterr().out


def test_a_fact_that_was_cut_is_not_taken_for_a_whole_one(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note(config, letter(1, facts=facts(subject="x" * 40_000 + "offer")), letter(2))
    assert replay(config, REJECTING) == 1
    assert capsys.readouterr().out.splitlines() == [
        "0 of 2 verdicts would change, 1 is undecidable",
        "undecidable: rule offers reads subject, not recorded of 1 message, such as m1",
    ]


def test_what_cannot_be_replayed_is_an_error(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(config, REJECTING) == 2
    assert "there is no journal yet" in capsys.readouterr().err
    note(config, letter(1))
    assert replay(config, REJECTING.replace("subject", "subjct")) == 2
    assert "10-test.toml:4:20: unknown fact" in capsys.readouterr().err
    assert run(config, "replay", "--since", "7d", "--rules", "/nowhere") == 2
    assert capsys.readouterr().err == "/nowhere:1:1: is no directory\n"
    config.write_text(config.read_text() + "[journal]\nenabled = false\n")
    assert run(config, "replay", "--since", "7d") == 2


def test_a_message_is_explained_part_by_part(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note(config, letter(1, facts=facts(subject="An offer"), rules_digest="0123456789ab"))
    written(config.parent / "rules.d", REJECTING)
    assert run(config, "explain", "m1") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "message m1 2026-11-18 11:06:41 UTC"
    assert lines[1].endswith(", and not 0123456789ab, which was in force then")
    assert lines[2:] == [
        "match offers: reject x",
        "yes \"offer\" in subject (subject is 'An offer')",
        "yes spam.score > 1 (spam.score is 1.5)",
        "total 1.5",
        "then accept",
        "verdict reject",
        "decided by offers",
    ]


def test_an_explanation_tells_what_was_not_recorded(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note(config, letter(1))
    written(config.parent / "rules.d", READING)
    assert run(config, "explain", "m1") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "undecidable mailer: reject x" in lines
    assert '? "x" in header("X-Mailer") (header.x-mailer was not recorded)' in lines
    assert lines[-1] == "verdict undecidable: it depends on what was not recorded"


def test_an_explanation_for_programs(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spared = facts(subject="An offer", recipients=("postmaster@example.org",))
    note(config, letter(1, facts=spared, action="tag"))
    written(config.parent / "rules.d", REJECTING)
    assert run(config, "explain", "m1", "--json") == 0
    [told] = json.loads(capsys.readouterr().out)
    assert (told["now"]["action"], told["now"]["decided_by"], told["then"]["action"]) == ("tag", "offers", "tag")
    assert [rule["standing"] for rule in told["rules"]] == ["match"]
    assert told["rules"][0]["parts"][0] == {
        "text": '"offer" in subject',
        "value": True,
        "facts": {"subject": "An offer"},
        "not_recorded": [],
    }


def test_what_nobody_judged_is_explained_by_the_answer(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note(config, replace(letter(1, action="", reply="550 5.1.1 unknown", stage="rcpt"), event=Event.REFUSED))
    assert run(config, "explain", "m1") == 0
    assert "none had a say: 550 5.1.1 unknown" in capsys.readouterr().out
    assert run(config, "explain", "m2") == 1
    told = capsys.readouterr().err
    assert told.startswith("mailward rules explain: the journal has nothing of m2; if it has just come, ask again")


def test_nothing_of_a_sender_drives_a_terminal(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note(config, letter(1, sender="\x1b[2J@sender.example", facts=facts(subject="\x1b[2J An offer")))
    replay(config, REJECTING)
    run(config, "explain", "m1", "--rules", str(config.parent / "next"))
    assert "\x1b" not in capsys.readouterr().out
