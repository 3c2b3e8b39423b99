"""The log: what is written of records and events; nothing breaks out of a line, and a slow reader stops nobody."""

import json
import logging
import os
import re
import select
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields
from pydantic import ValidationError

from gateway.record import Event, Record
from gateway.system import logstream
from gateway.system.log import Format, LogSettings, MessageLog, start_logging
from gateway.system.logline import MAX_LINE, Style, json_line, record_line, text_line
from gateway.system.logstream import QueuedStream

KEY = "0123456789abcdef"


def record(**known: Any) -> Record:
    return Record(
        **{
            "event": Event.MESSAGE,
            "id": "A1",
            "connection": "C1",
            "began": 1.5,
            "stage": "scored",
            "client_ip": "192.0.2.1",
            "sender": "alice@example.org",
            "recipients": ("bob@example.com", "carol@example.net"),
            "results": {"spf": "pass"},
            "score": 0.0,
            "reply": "250 2.0.0 Ok",
            **known,
        }
    )


Written = Callable[..., list[str]]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    """Run something with the log going to a file, and give the lines. What pytest had set up comes back."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions

    def lines(settings: LogSettings, act: Callable[[], None], environ: dict[str, str] | None = None) -> list[str]:
        file = tmp_path / "log"
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        handler = start_logging(settings, on_drop=lambda _: None, fd=fd, environ=environ or {})
        act()
        handler.close()
        os.close(fd)
        return file.read_text().splitlines()

    yield lines
    root.handlers[:], level, logging.raiseExceptions = before
    root.setLevel(level)


def message_line(written: Written, known: Record, **settings: Any) -> dict[str, Any]:
    chosen = LogSettings.model_validate({"format": "json", **settings})
    (line,) = written(chosen, lambda: MessageLog(chosen).write(known))
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_message_is_one_object_with_its_results_and_without_what_is_empty(written: Written) -> None:
    line = message_line(written, record())
    assert line["event"] == "message"
    assert line["spf"] == "pass"
    assert line["recipients"] == ["bob@example.com", "carol@example.net"]
    assert line["recipient_count"] == 2
    assert line["score"] == 0.0
    assert "queue_id" not in line
    assert "panic" not in line


def test_every_key_is_explained() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operating.md").read_text()
    keys = {field.name for field in fields(Record)} - {"results", "basis"}
    assert {key for key in keys if f"`{key}`" not in page} == set()


def test_hashed_values_can_be_followed_but_not_read(written: Written) -> None:
    redaction = {"redact": {"sender": "hash", "recipients": "hash"}, "redact_key": KEY}
    line = message_line(written, record(sender="BOB@example.com"), **redaction)
    assert re.fullmatch("[0-9a-f]{16}", line["sender"])
    assert line["sender"] == line["recipients"][0] != line["recipients"][1]
    other = message_line(written, record(), **{**redaction, "redact_key": KEY[::-1]})
    assert other["recipients"][0] != line["recipients"][0]


def test_domain_alone_is_kept_or_nothing(written: Written) -> None:
    line = message_line(written, record(subject="secret"), redact={"sender": "domain", "subject": "drop"})
    assert line["sender"] == "@example.org"
    assert "subject" not in line


def test_a_redacted_client_does_not_come_back_in_texts_of_replies(written: Written) -> None:
    refusal = "550 5.7.1 192.0.2.7 (mail.sender.example) is listed by zen"
    client = {"client_ip": "192.0.2.7", "client_name": "mail.sender.example", "reply": refusal, "answer": refusal}
    line = message_line(written, record(**client), redact={"client_ip": "drop", "client_name": "drop"})
    assert line["reply"] == line["answer"] == "550 5.7.1  () is listed by zen"
    assert message_line(written, record(**client), redact={"recipients": "drop"})["reply"] == refusal


def test_redacted_recipients_do_not_come_back_in_texts_of_replies(written: Written) -> None:
    refusal = "550 5.1.1 <Bob@Example.com>: user unknown"
    line = message_line(written, record(reply=refusal, answer=refusal), redact={"recipients": "drop"})
    assert line["reply"] == line["answer"] == "550 5.1.1 <>: user unknown"


def test_hash_without_a_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="redact_key"):
        LogSettings.model_validate({"redact": {"sender": "hash"}})


@given(st.text(), st.lists(st.text()))
def test_no_text_breaks_out_of_its_line(text: str, items: list[str]) -> None:
    values = {"one": text, "many": items}
    for line in (
        json_line(0, "info", "x", text, values),
        text_line(0, "info", "x", text, values, Style.PLAIN),
    ):
        assert re.fullmatch("[ -~]*", line)


@given(st.text(min_size=1))
def test_json_gives_every_text_back(text: str) -> None:
    assert json.loads(json_line(0, "info", "x", "event", {"value": text}))["value"] == text


@given(
    st.text(),
    st.none() | st.floats(allow_nan=False),
    st.dictionaries(st.sampled_from(("spf", "dkim", "spam")), st.sampled_from(("", "pass", "none"))),
    st.dictionaries(st.sampled_from(("spf", "total")), st.floats(0, 1e9)),
    st.booleans(),
)
def test_the_fast_way_writes_what_the_other_one_does(
    text: str, score: float | None, results: dict[str, str], milliseconds: dict[str, float], panic: bool
) -> None:
    noted = record(
        subject=text,
        score=score,
        size=len(text),
        results=results,
        milliseconds=milliseconds,
        panic=panic,
        recipients=(),
    )
    values = noted.to_dict()
    line = record_line(1.5, "info", "x", noted)
    assert line in ("", json_line(1.5, "info", "x", values.pop("event"), values))
    assert line or not text.isascii() or "\x7f" in text


@pytest.mark.parametrize("text", ["plain", "\x7f", "\x00\x1b[2J\r\n", "caf\u00e9", "\udc80", "\U0001f4e7", "\u202e"])
def test_a_message_breaks_out_of_no_line_and_gives_every_text_back(written: Written, text: str) -> None:
    chosen = LogSettings(format=Format.JSON)
    (line,) = written(chosen, lambda: MessageLog(chosen).write(record(subject=text)))
    assert re.fullmatch("[ -~]*", line)
    assert json.loads(line)["subject"] == text


def test_a_long_message_is_cut(written: Written) -> None:
    line = message_line(written, record(reply="x" * MAX_LINE, recipients=("y" * 200,) * 200))
    assert (len(line["reply"]), len(line["recipients"]), line["recipient_count"]) == (503, 21, 200)


def test_terminal_escapes_and_line_ends_are_shown_as_escapes() -> None:
    line = text_line(0, "info", "x", "helo", {"helo": "a\x1b[2J\r\nfake: line\x7f\u202e"}, Style.PLAIN)
    assert line == r'1970-01-01T00:00:00.000Z info x: helo helo="a\u001b[2J\r\nfake: line\u007f\u202e"'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x7f", r"\u007f"),
        ("\x9b", r"\u009b"),
        ("caf\u00e9", r"caf\u00e9"),
        ("\ud800", r"\ud800"),
        ("\U0001f4e7", r"\ud83d\udce7"),
    ],
)
def test_what_is_not_printable_ascii_is_escaped_as_json_has_it(text: str, shown: str) -> None:
    line = json_line(0, "info", "x", "message", {"subject": text, "size": 5, "score": -0.5, "panic": True})
    assert line.endswith(f'"event":"message","subject":"{shown}","size":5,"score":-0.5,"panic":true}}')
    assert json.loads(line)["subject"] == text


def test_plain_words_stand_without_quotes_and_others_cannot_pass_for_pairs() -> None:
    line = text_line(0, "info", "x", "message", {"a": "b@c.org", "d": "e f=g"}, Style.JOURNAL)
    assert line == 'info x: message a=b@c.org d="e f=g"'


def test_values_cannot_take_the_place_of_the_head() -> None:
    line = json.loads(json_line(0, "info", "x", "message", {"level": "critical", "time": "never"}))
    assert (line["level"], line["time"]) == ("info", "1970-01-01T00:00:00.000Z")


@pytest.mark.parametrize("text", ["x" * 20_000, "\x00" * 20_000])
def test_long_lines_are_cut(text: str) -> None:
    values = {"subject": text, "recipients": [text] * 100, "steps": {"a": text}}
    for line in (json_line(0, "info", "x", text, values), text_line(0, "info", "x", text, values, Style.PLAIN)):
        assert len(line) < MAX_LINE
        assert "and 95 more" in line or "and 80 more" in line


def test_only_the_chosen_level_is_written(written: Written) -> None:
    quiet = LogSettings.model_validate({"level": "warning", "format": "text"})

    def act() -> None:
        MessageLog(quiet).write(record())
        logging.getLogger("x").warning("something")

    assert [line.split(" ", 1)[1] for line in written(quiet, act)] == ["warning x: something"]


def test_traceback_is_part_of_its_line(written: Written) -> None:
    def act() -> None:
        try:
            raise ValueError("a\nb")
        except ValueError:
            logging.getLogger("x").exception("failed")

    (line,) = written(LogSettings(format=Format.JSON), act)
    assert json.loads(line)["trace"].endswith("ValueError: a\nb\n")


def test_call_that_does_not_fit_its_text_is_written_all_the_same(written: Written) -> None:
    (line,) = written(LogSettings(format=Format.JSON), lambda: logging.getLogger("x").warning("%d files", "no"))
    assert json.loads(line)["arguments"] == "('no',)"


def test_journal_gets_priorities_and_no_time(written: Written, tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.touch()
    there = file.stat()
    stream = {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}
    (line,) = written(LogSettings(format=Format.TEXT), lambda: logging.getLogger("x").error("bad"), stream)
    assert line == "<3>error x: bad"


def test_journal_gets_the_priority_of_a_message(written: Written, tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.touch()
    there = file.stat()
    settings, stream = LogSettings(format=Format.TEXT), {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}
    (line,) = written(settings, lambda: MessageLog(settings).write(record(results={}, recipients=())), stream)
    assert line.startswith("<6>info mailward: message id=A1 connection=C1 began=1.5 ")


def test_lines_of_messages_stand_where_they_belong_among_others(written: Written) -> None:
    settings = LogSettings(format=Format.JSON)

    def act() -> None:
        for number in range(3):
            MessageLog(settings).write(record(id=f"m{number}"))
            logging.getLogger("x").warning("after it", extra={"values": {"id": f"m{number}"}})

    lines = [json.loads(line) for line in written(settings, act)]
    assert [line["id"] for line in lines] == ["m0", "m0", "m1", "m1", "m2", "m2"]
    assert [(line["logger"], line["level"]) for line in lines[:2]] == [("mailward", "info"), ("x", "warning")]


def test_whoever_else_reads_what_is_logged_gets_messages_too(written: Written) -> None:
    settings = LogSettings(format=Format.JSON)
    read: list[logging.LogRecord] = []

    class Another(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            read.append(record)

    def act() -> None:
        MessageLog(settings).write(record(id="one"))
        logging.getLogger().addHandler(Another())
        MessageLog(settings).write(record(id="two"))

    assert [json.loads(line)["id"] for line in written(settings, act)] == ["one", "two"]
    assert [(line.name, line.getMessage(), line.__dict__["values"]["id"]) for line in read] == [
        ("mailward", "message", "two")
    ]


def test_full_pipe_stops_nobody_and_what_is_dropped_is_counted_and_told() -> None:
    reading, writing = os.pipe()
    dropped: list[int] = []
    handler = QueuedStream(writing, on_drop=dropped.append, limit=100)
    handler.setFormatter(logging.Formatter("%(message)s"))
    line = logging.LogRecord("x", logging.INFO, "", 0, "x" * 1000, None, None)
    for _ in range(1000):  # far more than a pipe and the queue hold
        handler.emit(line)
    assert len(dropped) > 500
    read = bytearray()
    reader = threading.Thread(target=lambda: _read_all(reading, read))
    reader.start()
    handler.close()
    os.close(writing)
    reader.join()
    os.close(reading)
    assert read.count(b"x" * 1000) == 1000 - len(dropped)
    assert b"log lines were dropped: %d" % len(dropped) in read


def test_a_line_after_the_end_keeps_the_thread_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of the disk may log while the process ends, which would then wait LAST_WORDS for nothing."""
    monkeypatch.setattr(logstream, "LAST_WORDS", 0.01)
    reading, writing = os.pipe()
    before = set(threading.enumerate())
    handler = QueuedStream(writing, on_drop=lambda _: None)
    (thread,) = set(threading.enumerate()) - before
    handler.put("x" * (1 << 20))  # more than a pipe holds
    select.select([reading], [], [])
    handler.put("before it")
    handler.close()
    handler.put("after it")
    read = bytearray()
    reader = threading.Thread(target=lambda: _read_all(reading, read))
    reader.start()
    thread.join(10)
    assert not thread.is_alive()
    os.close(writing)
    reader.join()
    os.close(reading)
    assert read.splitlines()[1:] == [b"before it", b"after it"]


def test_reader_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    handler = QueuedStream(writing, on_drop=lambda _: None)
    handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "text", None, None))
    handler.close()
    os.close(writing)


def _read_all(fd: int, into: bytearray) -> None:
    while piece := os.read(fd, 65536):
        into += piece
