"""SpamAssassin's site configuration: turns the system's plugins, directories of rules and our trust into the one
directory that a spamd reads.

SpamAssassin's own rules stay where the system has them; so does its choice of plugins, but for those whose work the
gateway does. The system's *.cf are left out: what a site wants of them stands among its own rules.
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

SYSTEM_CONFIGURATIONS = (Path("/etc/spamassassin"), Path("/etc/mail/spamassassin"))
DONE_BY_THE_GATEWAY = ("DKIM", "DMARC")  # plugins; see docs/scoring.md
READ = (".cf", ".pre")  # suffixes of what SpamAssassin reads by itself, in the order of names
MARK = ".mailward"  # a file in a directory that is ours to empty

_plugins_of_ours_re = re.compile(
    rf"^\s*loadplugin\s+Mail::SpamAssassin::Plugin::(?:{'|'.join(DONE_BY_THE_GATEWAY)})\b", re.MULTILINE
)


class NotOurs(OSError):
    """The directory has files that somebody else has put there."""


def rules_in(directories: Sequence[Path]) -> Mapping[str, Path]:
    """The files of directories of SpamAssassin's rules, each by the name that it gets: a *.cf of a later directory is
    read after all those of the ones before it, whatever it is called. A *.pre loads plugins, in any order."""
    named: dict[str, Path] = {}
    for number, directory in enumerate(path for path in directories if path.is_dir()):
        for file in sorted(path for path in directory.iterdir() if path.is_file()):
            later = number > 0 and file.suffix in READ
            named[f"{40 + 10 * number}-{file.name}" if later else file.name] = file
    return named


def write_site(site: Path, *, rules: Sequence[Path], further: Mapping[str, str]) -> None:
    """Make the directory anew, readable to everybody: spamd is another user. `further` are texts by name of file.
    Raises OSError."""
    _empty(site)
    for plugins in _system_files("*.pre"):
        text = plugins.read_text(encoding="utf-8", errors="replace")
        _write(site / plugins.name, _plugins_of_ours_re.sub(r"# \g<0>", text).encode())
    for name, file in rules_in(rules).items():
        _write(site / name, file.read_bytes())
    for name, text in further.items():
        _write(site / name, text.encode())


def _empty(site: Path) -> None:
    if site.exists() and not (site / MARK).exists() and any(site.iterdir()):
        raise NotOurs(f"{site} has files that were not written by this command: name another directory")
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    site.chmod(0o755)
    (site / MARK).touch()


def _write(file: Path, octets: bytes) -> None:
    file.write_bytes(octets)
    file.chmod(0o644)


def _system_files(pattern: str) -> Sequence[Path]:
    for directory in SYSTEM_CONFIGURATIONS:
        if found := sorted(directory.glob(pattern)):
            return found
    return ()
