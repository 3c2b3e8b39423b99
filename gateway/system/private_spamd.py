"""A private spamd: its own configuration and state in one directory, beside whatever spamd the system runs.

Turns a directory, our shipped rules and our trust into configuration files, and these into the command that runs spamd.
SpamAssassin's own rules are the system's; so is its choice of plugins, but for those whose work the gateway does.
"""

import os
import pwd
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SYSTEM_CONFIGURATIONS = (Path("/etc/spamassassin"), Path("/etc/mail/spamassassin"))
SERVICE_USERS = ("debian-spamd", "spamd", "nobody")  # spamd scans no message as root
DONE_BY_THE_GATEWAY = ("DKIM", "DMARC")  # plugins; see docs/scoring.md

_plugins_of_ours_re = re.compile(
    rf"^\s*loadplugin\s+Mail::SpamAssassin::Plugin::(?:{'|'.join(DONE_BY_THE_GATEWAY)})\b", re.MULTILINE
)


class NoSpamd(RuntimeError):
    """SpamAssassin's spamd is not installed."""


@dataclass(frozen=True, slots=True)
class PrivateSpamd:
    """`listen` is what spamd's --listen takes: HOST:PORT, or the absolute path of a Unix socket."""

    directory: Path
    listen: str
    children: int = 2

    def prepare(self, *, shipped: Path, trust: str) -> None:
        """Write the configuration: the system's plugins, the files of `shipped` (rules/spamassassin), and `trust`."""
        site = self.site
        shutil.rmtree(site, ignore_errors=True)
        site.mkdir(parents=True)
        for plugins in _system_files("*.pre"):
            text = plugins.read_text(encoding="utf-8", errors="replace")
            (site / plugins.name).write_text(_plugins_of_ours_re.sub(r"# \g<0>", text), encoding="utf-8")
        for file in sorted(path for path in shipped.iterdir() if path.is_file()):
            shutil.copy(file, site)
        (site / "90-trust.cf").write_text(trust, encoding="utf-8")
        (site / "90-state.cf").write_text(f"bayes_path {self._home}/bayes\n", encoding="utf-8")
        self._home.mkdir(exist_ok=True)
        if user := _service_user():
            os.chown(self._home, user.pw_uid, user.pw_gid)

    def command(self, *options: str) -> list[str]:
        """The command that runs it in the foreground, logging to stderr. Raises NoSpamd."""
        user = _service_user()
        return [
            find_spamd(),
            f"--siteconfigpath={self.site}",
            f"--listen={self.listen}",
            f"--max-children={self.children}",
            f"--helper-home-dir={self._home}",
            "--nouser-config",
            "--syslog=stderr",
            *((f"--username={user.pw_name}",) if user else ()),
            *options,
        ]

    @property
    def site(self) -> Path:
        return self.directory / "site"

    @property
    def _home(self) -> Path:
        return self.directory / "home"


def find_spamd() -> str:
    """The path of spamd, which may stand where only root's PATH leads. Raises NoSpamd."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    found = shutil.which("spamd", path=path)
    if found is None:
        raise NoSpamd("spamd is not installed: apt-get install spamd")
    return found


def _system_files(pattern: str) -> Sequence[Path]:
    for directory in SYSTEM_CONFIGURATIONS:
        if found := sorted(directory.glob(pattern)):
            return found
    return ()


def _service_user() -> pwd.struct_passwd | None:
    """Whom spamd becomes where we are root; None where we are not, and it stays who we are."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next((known[name] for name in SERVICE_USERS if name in known), None)
