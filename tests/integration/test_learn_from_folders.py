"""How users' folders are learned from, as docs/scoring.md says: the parts that can be tried without an IMAP server."""

import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.policy.origin import Origin
from gateway.vocabulary import FACTS
from tests.support.documents import DOCS, example, examples

PAGE = "scoring.md"


@pytest.mark.skipif(not shutil.which("sievec"), reason="needs Debian's dovecot-sieve")
def test_the_sieve_script_is_without_error(tmp_path: Path) -> None:
    plugin = example(PAGE, "dovecot").partition("plugin {")[2].partition("}")[0]
    config = tmp_path / "dovecot.conf"
    config.write_text(f"mail_location = maildir:{tmp_path}/mail\nssl = no\nplugin {{{plugin}}}\n")
    for what in ("spam", "ham"):
        script = tmp_path / f"{what}.sieve"
        script.write_text(example(PAGE, "sieve").replace('"spam"', f'"{what}"'))
        done = subprocess.run(["sievec", "-c", str(config), str(script)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("what", "status"), [("spam", 0), ("ham", 0), ("forget", 1), ("", 1)])
def test_the_script_teaches_what_it_is_asked_to_and_nothing_else(tmp_path: Path, what: str, status: int) -> None:
    [text] = [block for block in examples(PAGE, "sh") if block.startswith("#!/bin/sh")]
    script, sudo = tmp_path / "learn", tmp_path / "sudo"
    script.write_text(text)
    sudo.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" > {tmp_path}/asked\n')
    for file in (script, sudo):
        file.chmod(0o755)
    done = subprocess.run([str(script), what], env={"PATH": f"{tmp_path}:/bin:/usr/bin"}, check=False)
    assert done.returncode == status
    asked = tmp_path / "asked"
    assert asked.exists() == (status == 0)
    if asked.exists():
        command = f"/usr/bin/mailward learn --{what} -"
        assert asked.read_text() == f"-n -u mailward {command}\n"
        assert command in (DOCS / PAGE).read_text().partition("NOPASSWD: ")[2]


def test_the_rule_of_the_page_is_one(tmp_path: Path) -> None:
    text = (DOCS / PAGE).read_text()
    (tmp_path / "10-points.toml").write_text(text[text.index("[[rule]]") :].partition("```")[0])
    assert [rule.id for rule in Origin((tmp_path,)).load(FACTS).rules] == ["dmarc-points"]
