"""The drop-in by which the system's spamd serves the gateway: its commands, run as they stand, unprivileged."""

import asyncio
import contextlib
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.scoring.client import Spamd
from gateway.scoring.hosts import parse_address
from gateway.scoring.lesson import Lesson, Told
from gateway.scoring.payload import Excerpt
from gateway.scoring.spamc import Score
from tests.support.spamd import AUTHSERV_ID, PATIENT, STRANGER, free_port, is_installed
from tests.support.supervised import ROOT, until
from tests.support.trying import COMMAND

DROP_IN = ROOT / "deploy" / "spamd-mailward.conf"
BASE = Path("/lib/systemd/system/spamd.service")
OWN_RULE = "header SITE_OFFER Subject =~ /Offer/\ndescribe SITE_OFFER The site's own\nscore SITE_OFFER {score}\n"
RECEIPT = (
    f"Received: from a (unknown [{{}}]) by {AUTHSERV_ID} (Mailward) with ESMTP id m1;"
    " Mon, 24 Nov 2025 10:00:00 +0000\r\n"
)
RESULTS = (
    f"Authentication-Results: {AUTHSERV_ID}; spf=pass smtp.mailfrom=a.example; dmarc=pass header.from=a.example\r\n"
)
LETTER = (
    "From: ann@a.example\r\nTo: bob@example.org\r\nSubject: Offer\r\nDKIM-Signature: v=1; d=a.example\r\n\r\nText\r\n"
)

pytestmark = pytest.mark.spamd


def assigned(key: str) -> list[str]:
    """The values of a key in the drop-in, one a line; an empty one takes back what the unit itself has."""
    lines = DROP_IN.read_text().replace("\\\n", " ").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=") and line != f"{key}="]


@dataclass
class Unit:
    """What the service manager does with the drop-in, in a directory of its own."""

    root: Path
    port: int

    @property
    def config(self) -> Path:
        return self.root / "mailward.toml"

    @property
    def rules(self) -> Path:
        return self.root / "rules.d" / "spamassassin"

    @property
    def site(self) -> Path:
        return self.root / "run"

    def command(self, line: str) -> list[str]:
        write = f"{shlex.join(COMMAND)} config spamassassin --config {self.config}"
        replacements = {
            "/usr/bin/mailward config spamassassin": write,
            "/run/mailward-spamd": str(self.site),
            "${STATE_DIRECTORY}": f"{self.root}/state",
            "${SPAMD_LISTEN}": f"127.0.0.1:{self.port}",
            "${SPAMD_CHILDREN}": "2",
        }
        for old, new in replacements.items():
            line = line.replace(old, new)
        return [*shlex.split(line.removeprefix("+")), *(["--local"] if "spamd " in line and "--listen" in line else [])]

    def prepare(self) -> None:
        [line] = assigned("ExecStartPre")
        subprocess.run(self.command(line), check=True, cwd=ROOT, timeout=60)

    @property
    def client(self) -> Spamd:
        return Spamd(parse_address(f"127.0.0.1:{self.port}"), PATIENT)


@pytest.fixture(scope="module")
def unit() -> Iterator[Unit]:
    if not is_installed():
        pytest.skip("spamd is not installed: what needs it is left out")
    with tempfile.TemporaryDirectory(prefix="mailward-unit-") as made:
        unit = Unit(Path(made), free_port())
        unit.root.chmod(0o755)
        unit.rules.mkdir(parents=True)
        (unit.rules / "10-offers.cf").write_text(OWN_RULE.format(score=1.5))
        (unit.rules / "10-offers.cf").chmod(0o600)
        unit.config.write_text(
            f'hostname = "{AUTHSERV_ID}"\ndomains = ["example.org"]\nstate_directory = "{made}"\n'
            f'[route.default]\nhosts = ["maildir:///nowhere"]\n[rules]\nsite = "{made}/rules.d"\n'
        )
        yield unit


@pytest.fixture(scope="module")
def process(unit: Unit) -> Iterator["subprocess.Popen[bytes]"]:
    """The spamd of the drop-in."""
    unit.prepare()
    (unit.root / "state").mkdir()
    [line] = assigned("ExecStart")
    [user] = assigned("User")
    account = {}
    if os.geteuid() == 0:
        entry = pwd.getpwnam(user)
        os.chown(unit.root / "state", entry.pw_uid, entry.pw_gid)
        account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    with (unit.root / "log").open("wb") as log:
        process = subprocess.Popen(
            unit.command(line),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            **account,
        )
    try:
        until(lambda: process.poll() is not None or asyncio.run(unit.client.ping()) is None, "spamd")
        assert process.poll() is None, (unit.root / "log").read_text()
        yield process
    finally:
        process.terminate()
        process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def score_of(unit: Unit, *parts: str) -> Score:
    found = asyncio.run(unit.client.score(Excerpt("".join((*parts, LETTER)).encode())))
    assert isinstance(found, Score), found
    return found


def test_our_results_are_believed_and_those_of_senders_are_not(unit: Unit, process: object) -> None:
    ours = set(score_of(unit, RESULTS, RECEIPT.format(STRANGER)).symbols)
    assert {"AUTHRES_SPF_PASS", "AUTHRES_DMARC_PASS"} <= ours
    forged = set(score_of(unit, RECEIPT.format(STRANGER), RESULTS).symbols)
    assert not {symbol for symbol in forged if symbol.startswith("AUTHRES_")}


def test_the_sites_own_rules_and_the_systems_are_read_without_the_plugins_whose_work_is_done(
    unit: Unit, process: object
) -> None:
    found = score_of(unit, RECEIPT.format(STRANGER))
    assert "SITE_OFFER" in found.symbols
    assert "DKIM_INVALID" in found.symbols  # of our 20-dkim.cf: the plugin does no work with --local
    plugins = "".join(file.read_text() for file in unit.site.glob("*.pre"))
    loaded = [line for line in plugins.splitlines() if line.startswith("loadplugin")]
    assert any("::Bayes" in line for line in loaded)
    assert not any(line.endswith(("::DKIM", "::DMARC")) for line in loaded)


def test_it_can_be_taught_and_keeps_that_in_its_state(unit: Unit, process: object) -> None:
    letter = Excerpt(LETTER.encode())
    assert asyncio.run(unit.client.tell(Lesson.SPAM, letter)) is Told.CHANGED
    assert (unit.root / "state" / "bayes_toks").exists()


def test_a_reload_reads_changed_rules(unit: Unit, process: "subprocess.Popen[bytes]") -> None:
    before = score_of(unit, RECEIPT.format(STRANGER)).score
    (unit.rules / "10-offers.cf").write_text(OWN_RULE.format(score=4.5))
    prepare, signal_ = assigned("ExecReload")
    subprocess.run(unit.command(prepare), check=True, cwd=ROOT, timeout=60)
    assert signal_ == "/bin/kill -HUP $MAINPID"
    process.send_signal(signal.SIGHUP)

    def now() -> float | None:
        found = asyncio.run(unit.client.score(Excerpt((RECEIPT.format(STRANGER) + LETTER).encode())))
        return found.score if isinstance(found, Score) else None

    until(lambda: (score := now()) is not None and round(score - before, 1) == 3.0, "the rules of the reload")
    assert process.poll() is None


def test_a_directory_with_files_of_others_is_not_emptied(unit: Unit, tmp_path: Path) -> None:
    (tmp_path / "local.cf").write_text("score GTUBE 0\n")
    command = [*COMMAND, "config", "spamassassin", "--config", str(unit.config), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"mailward config: {tmp_path} has files that were not written by this command: name another directory\n"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["local.cf"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs Debian's systemd")
@pytest.mark.skipif(not BASE.exists(), reason="needs Debian's spamd")
def test_drop_in_is_without_error(tmp_path: Path) -> None:
    """With a program that exists here in the place of the installed one."""
    shutil.copy(BASE, tmp_path)
    folder = tmp_path / "spamd.service.d"
    folder.mkdir()
    (folder / "mailward.conf").write_text(DROP_IN.read_text().replace("/usr/bin/mailward", "/bin/true"))
    command = ["systemd-analyze", "verify", str(tmp_path / "spamd.service")]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
