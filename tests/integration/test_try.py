"""mailward try: a newcomer's first minutes, in real processes."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.journal.database import for_reading
from gateway.journal.feedback import since
from gateway.journal.reader import Reader, reading
from tests.support.spamd import is_installed
from tests.support.supervised import until
from tests.support.trying import COMMAND, ROOT, Trial, command_line, is_alive, shell, trying

MESSAGE = "From: you@example.com\nTo: me@example.org\nSubject: Hello\n\nA first message.\n"
UNSHARE = ("unshare", "--mount")  # to have a file system without spamd in it

pytestmark = pytest.mark.spamd


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    if not is_installed():
        pytest.skip("spamd is not installed: what needs it is left out")
    with trying(tmp_path_factory.mktemp("a first try")) as running:
        yield running


def mail_of(trial: Trial, user: str, domain: str = "example.org") -> list[str]:
    return [file.read_bytes().decode() for file in (trial.state / "mail" / domain / user / "new").glob("*")]


def test_what_it_prints_can_be_pasted(trial: Trial) -> None:
    """The lines that are indented by four belong to a shell."""
    assert f"at localhost and example.org on {trial.address}" in trial.printed
    script = "\n".join(line for line in trial.printed.splitlines() if line.startswith("    "))
    done = shell(script, ROOT)
    assert done.returncode == 0, done.stderr
    assert "the message: 250 2.0.0 Stored as " in done.stdout
    assert "Subject: Hello\r\n\r\nA first message.\r\n" in mail_of(trial, "me")[0]
    assert "A first message." in done.stdout
    assert "in force: version " in done.stdout
    assert command_line() in script


@pytest.mark.parametrize("domain", ["localhost", "example.org"])
def test_mail_for_any_recipient_is_taken_and_scored(trial: Trial, domain: str) -> None:
    assert trial.send(MESSAGE, "--rcpt", f"anybody@{domain}").returncode == 0
    [mail] = mail_of(trial, "anybody", domain)
    assert "X-Spam-Status: No, score=" in mail
    assert "Authentication-Results: localhost;" in mail


def test_mail_for_others_is_not(trial: Trial) -> None:
    done = trial.send(MESSAGE, "--rcpt", "a@example.com")
    assert done.returncode == 1
    assert "550 5.7.1" in done.stdout


def test_the_test_message_of_spamassassin_is_refused(trial: Trial) -> None:
    done = trial.send(MESSAGE + "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n")
    assert done.returncode == 1
    assert "550 5.7.1 refused as spam" in done.stdout


def test_spamd_can_be_taught_and_the_word_stands_with_the_message_it_is_about(trial: Trial) -> None:
    for number in range(2):
        offer = MESSAGE.replace("first", f"{number}th cheap")
        assert trial.send(offer, "--rcpt", "taught@example.org").returncode == 0
    place = f"sqlite:///{trial.state}/journal.db"
    mailbox = trial.state / "mail/example.org/taught"
    with reading(place) as reader:
        until(lambda: len(ids_of_mail_to(reader, "taught@example.org")) == 2, "the rows of both")
        ids = ids_of_mail_to(reader, "taught@example.org")
    assert ": 2 learned as spam, 0 known as spam before\n" in learned(trial, "--spam", mailbox)
    assert "journal: 0 recorded, 2 said before; it has 2 of the messages\n" in learned(trial, "--spam", mailbox)
    with contextlib.closing(for_reading(place)) as database:
        assert {said.id for said in since(database, 0)} == ids


def ids_of_mail_to(reader: Reader, recipient: str) -> set[str]:
    return {entry.id for entry in reader.since(0) if recipient in entry.recipients}


def learned(trial: Trial, *arguments: object) -> str:
    command = [*COMMAND, "learn", "--config", str(trial.state / "mailward.toml"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_second_one_at_the_same_place_is_told_so_at_once(trial: Trial, tmp_path: Path) -> None:
    command = [*COMMAND, "try", "--state", str(tmp_path / "state"), "--listen", trial.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr == f"mailward try: cannot listen at {trial.address}: Address already in use\n"
    assert done.stdout == ""
    assert not (tmp_path / "state" / "spamd").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--listen", "nowhere"], "mailward try: --listen nowhere: must be HOST:PORT"),
        (["--state", "/dev/null/state"], "mailward try: /dev/null/state/spool: Not a directory"),
    ],
)
def test_a_wrong_command_line_leaves_nothing_behind(tmp_path: Path, arguments: list[str], told: str) -> None:
    command = [*COMMAND, "try", "--state", str(tmp_path / "state"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.startswith(told)
    assert not (tmp_path / "state").exists()


def test_it_ends_with_all_its_processes_and_starts_again_with_the_same_state(tmp_path: Path, trial: Trial) -> None:
    """Ctrl-C, then SIGTERM; the configuration that the first start has written is the second one's too."""
    lessons = "1 learned as spam, 0 known as spam before", "0 learned as spam, 1 known as spam before"
    (tmp_path / "offer").write_text(MESSAGE)
    own = tmp_path / "state/rules.d/spamassassin/10-own.cf"
    own.parent.mkdir(parents=True)
    own.write_text("header OWN_HELLO Subject =~ /Hello/\ndescribe OWN_HELLO The site's own\nscore OWN_HELLO 0.1\n")
    for number, expected, lesson in ((signal.SIGINT, 1, lessons[0]), (signal.SIGTERM, 2, lessons[1])):
        with trying(tmp_path) as running:
            written = (running.state / "mailward.toml").read_text()
            (running.state / "mailward.toml").write_text(written)
            assert running.send(MESSAGE).returncode == 0
            assert lesson in learned(running, "--spam", tmp_path / "offer")
            children = running.children()
            assert len(children) >= 3  # workers, spamd and its children
            assert running.end(number) == 0
            assert not any(map(is_alive, children))
        assert len(mail_of(running, "me")) == expected
    assert all("OWN_HELLO" in mail for mail in mail_of(running, "me"))


def test_a_configuration_with_an_error_is_told(tmp_path: Path) -> None:
    (tmp_path / "mailward.toml").write_text('hostname = "localhost"\n')
    command = [*COMMAND, "try", "--state", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert f'{tmp_path}/mailward.toml:1:1: the key "domains" is missing' in done.stderr


def test_a_spamd_that_does_not_start_is_told_of(tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "spamd"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho it is broken >&2\nexit 1\n")
    broken.chmod(0o755)
    with trying(tmp_path, env={"PATH": f"{broken.parent}:{os.environ['PATH']}"}) as running:
        assert f"spamd did not start; see {running.state}/spamd.log" in running.log
        assert (running.state / "spamd.log").read_text() == "it is broken\n"
        assert running.end() == 0


def test_without_spamd_mail_is_delivered_unscored_and_marked(tmp_path: Path) -> None:
    hidden = "for file in $(which -a spamd) /usr/sbin/spamd /usr/local/sbin/spamd; do"
    script = f'{hidden} test -e "$file" && mount --bind /dev/null "$file"; done; exec "$@"'
    prefix = (*UNSHARE, "sh", "-c", script, "sh")
    if shutil.which("unshare") is None or subprocess.run([*UNSHARE, "true"], check=False).returncode:
        pytest.skip("no mount namespace can be made here, to hide spamd in")
    with trying(tmp_path, prefix=prefix) as running:
        assert "spamd is not installed: apt-get install spamd" in running.log
        assert running.send(MESSAGE).returncode == 0, running.log
        [mail] = mail_of(running, "me")
        assert running.end() == 0
    assert "X-Mailward-Unscored: unavailable" in mail
    assert "X-Mailward-Tag: unscored" in mail
    assert "X-Spam-" not in mail
