"""mailward learn with a real spamd: Bayes knows afterwards."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.learning.letter import Reading, read_letter
from gateway.scoring.lesson import Lesson, Told
from gateway.scoring.payload import Excerpt
from gateway.scoring.spamc import Score
from tests.support.spamd import AUTHSERV_ID, RunningSpamd, is_installed, running_spamd
from tests.support.trying import COMMAND, ROOT

pytestmark = pytest.mark.spamd

TAUGHT = 60  # messages of each kind
ASKED = 8
READING = Reading(hostname=AUTHSERV_ID, authserv_id=AUTHSERV_ID, max_header=500_000, max_size=500_000)
SETTINGS = f"bayes_min_ham_num {TAUGHT - 5}\nbayes_min_spam_num {TAUGHT - 5}\n"  # the same message may be there twice
LETTER = "From: you@example.com\nTo: me@example.org\nSubject: Offer {}\n\nCheap watches, offer {}.\n"
OURS = (
    b"Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=a.example;\n"
    b" dkim=none; dmarc=none header.from=a.example\n"
    b"Received-SPF: pass receiver=mx.example.org; client-ip=192.0.2.7\n"
)
RECEIPT = b"Received: from a (unknown [192.0.2.7])\n by mx.example.org (Mailward) with SMTP id m1; Mon, 24 Nov 2025\n"
LOW, HIGH = {"BAYES_00", "BAYES_05", "BAYES_20", "BAYES_40"}, {"BAYES_60", "BAYES_80", "BAYES_95", "BAYES_99"}


@pytest.fixture(scope="module")
def spamd() -> Iterator[RunningSpamd]:
    if not is_installed():
        pytest.skip("spamd is not installed: what needs it is left out")
    with running_spamd(settings=SETTINGS, options=("--local", "--allow-tell")) as running:
        yield running


def configuration(directory: Path, *hosts: str) -> Path:
    """Without a journal."""
    config = directory / "mailward.toml"
    spamd = "".join(f'[[spamd.hosts]]\naddress = "{host}"\n' for host in hosts)
    config.write_text(
        f'hostname = "{AUTHSERV_ID}"\ndomains = ["example.org"]\nstate_directory = "{directory}"\n'
        f'[route.default]\nhosts = ["maildir:///nowhere"]\n[journal]\nenabled = false\n{spamd}'
    )
    return config


def learn(config: Path, *arguments: object, given: str = "") -> "subprocess.CompletedProcess[str]":
    command = [*COMMAND, "learn", "--config", str(config), *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)


def bayes_of(spamd: RunningSpamd, file: Path, *above: bytes) -> set[str]:
    score = asyncio.run(spamd.client.score(Excerpt(b"".join(above) + _text(file))))
    assert isinstance(score, Score), score
    return {symbol for symbol in score.symbols if symbol.startswith("BAYES_")}


def test_spamd_tells_others_apart_once_it_was_taught(spamd: RunningSpamd, suites: Path, tmp_path: Path) -> None:
    """The spam as it would lie in mailboxes behind the gateway, the ham from elsewhere."""
    config = configuration(tmp_path, spamd.address)
    ham, spam = (sorted((suites / "corpus" / kind).iterdir()) for kind in ("ham", "spam"))
    assert bayes_of(spamd, spam[-1]) == set()
    assert learned(config, "--ham", *ham[:TAUGHT]) >= TAUGHT - 5
    assert learned(config, "--spam", *(_delivered(file, tmp_path) for file in spam[:TAUGHT])) >= TAUGHT - 5
    of_ham = [bayes_of(spamd, file) for file in ham[-ASKED:]]
    of_spam = [bayes_of(spamd, file) for file in spam[-ASKED:]]
    assert not any(symbols & HIGH for symbols in of_ham)
    assert not any(symbols & LOW for symbols in of_spam)
    assert sum(bool(symbols & LOW) for symbols in of_ham) >= ASKED // 4
    assert sum(bool(symbols & HIGH) for symbols in of_spam) >= ASKED // 4
    assert [bayes_of(spamd, file, OURS) for file in ham[-ASKED:]] == of_ham  # our fields are no sign of spam


def learned(config: Path, *arguments: object) -> int:
    done = learn(config, "--json", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    [host] = json.loads(done.stdout)["spamd"]
    return int(host["changed"])


def _delivered(file: Path, directory: Path) -> Path:
    copy = directory / file.name
    copy.write_bytes(OURS + RECEIPT + _text(file))
    return copy


def _text(file: Path) -> bytes:
    """Without the line that mailbox files have before a message."""
    octets = file.read_bytes()
    return octets.partition(b"\n")[2] if octets.startswith(b"From ") else octets


async def test_who_changes_his_mind_is_heard(spamd: RunningSpamd, tmp_path: Path) -> None:
    file = tmp_path / "letter"
    file.write_text(LETTER.format("x", "x"))
    with file.open("rb") as opened:
        payload = read_letter(opened, READING).payload
    said = [Lesson.HAM, Lesson.HAM, Lesson.SPAM, Lesson.SPAM, Lesson.HAM, Lesson.FORGET, Lesson.FORGET]
    done, same = Told.CHANGED, Told.UNCHANGED
    assert [await spamd.client.tell(lesson, payload) for lesson in said] == [done, same, done, same, done, done, same]


def test_a_delivered_message_is_the_one_that_was_scored(spamd: RunningSpamd, tmp_path: Path) -> None:
    """What is learned from the mailbox is known already where the original was learned."""
    config = configuration(tmp_path, spamd.address)
    letter = LETTER.format("y", "y").replace("Subject", "Message-ID: <y@example.com>\nSubject")
    receipt = (
        f"Received: from a (unknown [192.0.2.7])\n by {AUTHSERV_ID} (Mailward) with SMTP id m1; Mon, 24 Nov 2025\n"
    )
    above = "Return-Path: <you@example.com>\nDelivered-To: me\nX-Spam-Flag: YES\n"
    (tmp_path / "original").write_text(letter)
    (tmp_path / "delivered").write_text(above + receipt + letter)
    assert "1 learned as spam" in learn(config, "--spam", tmp_path / "original").stdout
    assert "0 learned as spam, 1 known as spam before" in learn(config, "--spam", tmp_path / "delivered").stdout


def test_a_spamd_without_allow_tell_is_told_how_to_be_started(tmp_path: Path) -> None:
    if not is_installed():
        pytest.skip("spamd is not installed: what needs it is left out")
    with running_spamd() as closed:
        done = learn(configuration(tmp_path, closed.address), "--spam", "-", given=LETTER.format("z", "z" * 500_000))
    assert done.returncode == 1
    assert "it takes no lessons: start it as `spamd --allow-tell`" in done.stdout
