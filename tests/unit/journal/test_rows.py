"""Rows: cleaned, redacted, and without what says nothing."""

import json
from typing import Any

import pytest

from gateway.facts import FactValue, Stage
from gateway.journal.frame import decode, encode
from gateway.journal.rows import MAX_TEXT, RowMaker, Rows, clean_text
from gateway.record import Event
from gateway.system.redaction import Redactable, Redaction
from tests.support.journal import EVIDENCE, FOUND, GLOSSARY, KEY, record_of


def rows_of(redact: dict[Redactable, Redaction] | None = None, digest: str = GLOSSARY.digest, **values: Any) -> Rows:
    return RowMaker(GLOSSARY, redact or {}, KEY).rows(decode(encode(record_of(**values), digest)))


def facts_in(rows: Rows) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(rows.message["facts"])
    return facts


def test_a_row_says_what_the_record_says() -> None:
    row = rows_of().message
    assert (row["id"], row["event"], row["sender"], row["queue_id"]) == ("m1", "message", "ann@sender.example", "Q1")
    assert row["recipients"] == ["alice@example.org", "bob@example.org"]
    assert (row["rules"], row["shadow"], row["total"]) == (["one", "two"], ["three"], 1.5)
    assert (row["author_domain"], row["settled"], row["unrecorded"]) == ("sender.example", Stage.SCORED, [])


@pytest.mark.parametrize(("reply", "number"), [("250 ok", 2), ("451 later", 4), ("550 no", 5), ("", 0), ("999", 0)])
def test_replies_have_their_class(reply: str, number: int) -> None:
    assert rows_of(reply=reply).message["reply_class"] == number


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain", "plain"),
        ("ünïcode", "ünïcode"),
        ("a\0b", "a\ufffdb"),
        ("a\udc80b", "a?b"),
        ("\udcf0\udc9f", "??"),
        ("x" * (MAX_TEXT + 1), "x" * MAX_TEXT),
    ],
)
def test_texts_are_made_fit_for_a_database(text: str, kept: str) -> None:
    assert clean_text(text) == kept
    row = rows_of(answer=text, recipients=(text,)).message
    assert (row["answer"], row["recipients"]) == (kept, [kept])


def test_texts_are_cleaned_each_for_itself() -> None:
    row = rows_of(subject="s" * MAX_TEXT, sender="ünï@sender.example", answer="a" * MAX_TEXT, helo="a\0b").message
    assert (row["subject"], row["answer"]) == ("s" * MAX_TEXT, "a" * MAX_TEXT), "only together they are too long"
    assert (row["sender"], row["helo"], row["author"]) == ("ünï@sender.example", "a\ufffdb", "ann@sender.example")


def test_what_a_report_says_is_made_fit_for_a_database() -> None:
    hostile = {
        "record": "v=DMARC1; p=none",
        "dkim": [["a\0b", "\udc80", "fail", "x" * 9999]],
        "spf": ["a\0b", "mfrom", "fail", ""],
    }
    row = rows_of(dmarc=hostile).dmarc
    assert row is not None
    assert row["dkim"] == [["a\ufffdb", "?", "fail", "x" * MAX_TEXT]]
    assert (row["spf_domain"], row["spf_scope"]) == ("a\ufffdb", "mfrom")


@pytest.mark.parametrize("value", ["a\0b", "a\udc80b", ("\ud83d", "\0", "'; DROP TABLE messages; --")])
def test_facts_stay_as_rules_saw_them(value: FactValue) -> None:
    facts = facts_in(rows_of(facts={"subject": value}))
    assert GLOSSARY.restored(facts) == {"subject": value}


def test_facts_that_do_not_apply_are_left_out() -> None:
    written = facts_in(rows_of(facts={**FOUND, "spf.helo": "none", "tls.version": "", "spf.result": "pass"}))
    assert "spf.helo" not in written
    assert "tls.version" not in written
    assert written["spf.result"] == "pass"


def test_facts_of_a_stage_that_was_not_reached_are_kept() -> None:
    """Otherwise one that was found before its time could not be told from one that was not."""
    rows = rows_of(event=Event.REFUSED, settled=Stage.MAIL, facts={"spf.helo": "none", "tls.version": ""})
    assert facts_in(rows) == {"spf.helo": "none"}


def test_facts_of_another_vocabulary_are_all_kept() -> None:
    assert facts_in(rows_of(digest="another", facts={"spf.helo": "none"})) == {"spf.helo": "none"}


def test_a_fact_that_was_cut_is_named() -> None:
    assert rows_of(facts={**FOUND, "subject": "s" * 300_000}).message["unrecorded"] == ["subject"]


def test_what_is_personal_is_redacted_and_its_facts_are_not_there() -> None:
    redact = {
        Redactable.SENDER: Redaction.DOMAIN,
        Redactable.RECIPIENTS: Redaction.HASH,
        Redactable.SUBJECT: Redaction.DROP,
        Redactable.CLIENT_IP: Redaction.DROP,
    }
    rows = rows_of(redact, answer="250 <ann@sender.example> from 192.0.2.7", dmarc=EVIDENCE)
    row = rows.message
    assert (row["sender"], row["subject"], row["client_ip"]) == ("@sender.example", "", "")
    assert [len(recipient) for recipient in row["recipients"]] == [16, 16]
    assert row["unrecorded"] == ["client.ip", "recipients", "sender.address", "subject"]
    assert rows.dmarc is not None
    assert rows.dmarc["source_ip"] == ""
    everything = repr((row, rows.dmarc))
    assert [secret for secret in ("alice", "bob", "A letter", "192.0.2.7") if secret in everything] == []
    assert row["author"] == "ann@sender.example", "what nobody asked to be redacted stays"


def test_all_that_can_be_redacted_is_gone_from_everywhere() -> None:
    texts = {"ann@", "Ann", "alice", "bob", "A letter", "192.0.2.7", "mail.sender.example", "<1@"}
    facts: dict[str, FactValue] = {
        **FOUND,
        "header.from": ("Ann <ann@sender.example>",),
        "iprev.name": "mail.sender.example",
    }
    rows = rows_of(dict.fromkeys(Redactable, Redaction.DROP), facts=facts, dmarc=EVIDENCE)
    everything = repr((rows.message, rows.dmarc)).replace("mailto:dmarc@", "")
    assert [text for text in texts if text in everything] == []
    assert set(rows.message) == set(rows_of().message), "rows of one batch have the same columns"


def test_columns_are_those_of_the_table() -> None:
    from gateway.journal.schema import dmarc, messages

    rows = rows_of(dmarc=EVIDENCE)
    assert rows.dmarc is not None
    assert {*rows.message, "number", "batch"} == set(messages.c.keys())
    assert {*rows.dmarc, "number"} == set(dmarc.c.keys())
