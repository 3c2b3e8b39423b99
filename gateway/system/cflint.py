"""SpamAssassin's lint: directories of SpamAssassin's own rules (*.cf, *.pre) to what `spamassassin --lint` objects to,
each with its place."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from gateway.system.spamd_site import rules_in, write_site
from gateway.tomlfile import Problem

TIMEOUT = 120.0  # seconds; it compiles every rule, in one second where nothing else runs

_warning_re = re.compile(r"^.*? warn: (?!lint: )(.*)$", re.MULTILINE)
_place_re = re.compile(r" in (\S+) \(line (\d+)\)")
_rule_re = re.compile(r"\bfor ([A-Za-z0-9_]+)\b")


def is_installed() -> bool:
    return shutil.which("spamassassin") is not None


def lint(directories: Sequence[Path]) -> list[Problem]:
    """What is wrong with the files of these directories, read together and beside the system's, as spamd reads them. A
    directory that is not there is empty."""
    files = rules_in(directories)
    if not files:
        return []
    with tempfile.TemporaryDirectory(prefix="mailward-") as made:
        site = Path(made) / "site"
        write_site(site, rules=directories, further={"90-state.cf": f"bayes_path {made}/bayes\n"})
        command = ["spamassassin", "--lint", "--prefspath=/dev/null", f"--siteconfigpath={site}"]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as error:
            return [_whole(files, f"spamassassin --lint does not end: {error}")]
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    found = [_problem(warning, files) for warning in _warning_re.findall(text)]
    if done.returncode and not found:
        return [_whole(files, f"spamassassin --lint ends with {done.returncode}: {text.strip()[-200:]}")]
    return found


def _problem(warning: str, files: Mapping[str, Path]) -> Problem:
    """Some warnings name a file of the copy and a line, others only a rule."""
    place = _place_re.search(warning)
    if place and (file := files.get(Path(place[1]).name)):
        return Problem(str(file), int(place[2]), 1, warning.replace(place[0], ""))
    name = _rule_re.search(warning)
    for file, line in _lines_about(name[1], files.values()) if name else ():
        return Problem(str(file), line, 1, warning)
    return _whole(files, warning)


def _whole(files: Mapping[str, Path], text: str) -> Problem:
    return Problem(str(next(iter(files.values())).parent), 1, 1, text)


def _lines_about(rule: str, files: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    """The last first: a later file has changed what an earlier one says."""
    word_re = re.compile(rf"\b{re.escape(rule)}\b")
    for file in reversed([file for file in files if file.suffix == ".cf"]):
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if word_re.search(line):
                yield file, number
