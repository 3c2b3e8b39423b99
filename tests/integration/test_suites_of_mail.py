"""Thousands of messages that others collected: each is examined without an error, and goes on octet for octet."""

import re
from collections.abc import Callable
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

import pytest

from gateway.checks.base import Unavailable
from gateway.inspection import Case, Inspection, Inspector
from gateway.lines import to_crlf
from tests.support.dnstable import TableResolver
from tests.support.journeys import NOW, settings_of

# A field whose name is ours to give, with the lines that continue it.
_ours_re = re.compile(rb"(?:x-spam|x-mailward)-[!-9;-~]*[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE)
_field_re = re.compile(rb"[^\n]*(?:\n[ \t][^\n]*)*\n?")


def below_ours(original: bytes) -> bytes:
    """The message without fields that claim to be ours; what would continue the last field of ours goes as well."""
    head, blank, body = original.partition(b"\r\n\r\n")
    if original.startswith(b"\r\n"):
        return original
    fields = _field_re.findall(head + b"\r\n" if blank else head)
    kept = [field for field in fields if field and not _ours_re.fullmatch(field)]
    if kept and kept[0][:1] in (b" ", b"\t"):
        del kept[0]
    return b"".join(kept) + (b"\r\n" + body if blank else b"")


def faults(original: bytes, found: Inspection) -> list[str]:
    """What should not be."""
    examination = found.examination
    wrong = [name for name, result in examination.answers.results.items() if isinstance(result, Unavailable)]
    if examination.stamped is None:
        return [*wrong, f"refused: {examination.verdict.reply}"]
    stamped = b"".join(examination.stamped.chunks())
    if len(stamped) != examination.stamped.size:
        wrong.append("the size is wrong")
    if stamped[examination.stamped.ours :] != below_ours(original):
        wrong.append("something below our fields has changed")
    return wrong


@pytest.mark.suites
@pytest.mark.parametrize("suite", ["mime", "spamassassin", "corpus"])
async def test_messages_of_others_are_examined_and_go_on_unchanged(
    suites: Path, score: Callable[[str, int, int], None], tmp_path: Path, suite: str
) -> None:
    files = sorted(path for path in (suites / suite).rglob("*") if path.is_file())
    failed: dict[str, list[str]] = {}
    (tmp_path / "rules.d").mkdir()
    with closing(Inspector(settings_of(tmp_path), resolver=TableResolver({}), clock=lambda: NOW)) as inspector:
        for file in files:
            raw = file.read_bytes()
            case = Case.of(
                raw,
                ip=ip_address("192.0.2.7"),
                helo="mail.sender.example",
                mail_from="ann@sender.example",
                recipients=["alice@example.org"],
            )
            if wrong := faults(to_crlf(raw), await inspector.inspect(case)):
                failed[str(file.relative_to(suites))] = wrong
    score(f"mail of {suite}: examined, and unchanged below our fields", len(files) - len(failed), len(files))
    assert not failed
