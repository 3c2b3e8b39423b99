"""SpamAssassin's lint: a directory of SpamAssassin's own rules (*.cf, *.pre) to what `spamassassin --lint` objects to,
each with its place."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gateway.system.private_spamd import PrivateSpamd
from gateway.tomlfile import Problem

TIMEOUT = 120.0  # seconds; it compiles every rule, in one second where nothing else runs

_warning_re = re.compile(r"^.*? warn: (?!lint: )(.*)$", re.MULTILINE)
_place_re = re.compile(r" in (\S+) \(line (\d+)\)")
_rule_re = re.compile(r"\bfor ([A-Za-z0-9_]+)\b")


def is_installed() -> bool:
    return shutil.which("spamassassin") is not None


def lint(directory: Path) -> list[Problem]:
    """What is wrong with these files beside the system's, with which spamd reads them. Empty where nothing is."""
    with tempfile.TemporaryDirectory(prefix="mailward-") as made:
        private = PrivateSpamd(directory=Path(made), listen="")
        private.prepare(shipped=directory, trust="")
        command = ["spamassassin", "--lint", "--prefspath=/dev/null", f"--siteconfigpath={private.site}"]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as error:
            return [Problem(str(directory), 1, 1, f"spamassassin --lint does not end: {error}")]
        text = (done.stdout + done.stderr).decode("utf-8", "replace")
        found = [_problem(warning, directory) for warning in _warning_re.findall(text)]
    if done.returncode and not found:
        return [
            Problem(str(directory), 1, 1, f"spamassassin --lint ends with {done.returncode}: {text.strip()[-200:]}")
        ]
    return found


def _problem(warning: str, directory: Path) -> Problem:
    """Some warnings name a file of the copy and a line, others only a rule."""
    if place := _place_re.search(warning):
        file = directory / Path(place[1]).name
        return Problem(str(file), int(place[2]), 1, warning.replace(place[0], ""))
    name = _rule_re.search(warning)
    file, line = next(_lines_about(name[1], directory), (directory, 1)) if name else (directory, 1)
    return Problem(str(file), line, 1, warning)


def _lines_about(rule: str, directory: Path) -> Iterator[tuple[Path, int]]:
    word_re = re.compile(rf"\b{re.escape(rule)}\b")
    for file in sorted(directory.glob("*.cf")):
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if word_re.search(line):
                yield file, number
