"""A private spamd: its own configuration and state in one directory, beside whatever spamd the system runs.

Turns a directory, directories of rules and our trust into a site configuration, and this into the command that runs
spamd.
"""

import os
import pwd
import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from gateway.system.spamd_site import write_site

SERVICE_USERS = ("debian-spamd", "spamd", "nobody")  # spamd scans no message as root
HOME = "home"  # the directory of what spamd learns, which alone outlives it


class NoSpamd(RuntimeError):
    """SpamAssassin's spamd is not installed."""


class PrivateSpamd(Struct, frozen=True):
    """`listen` is what spamd's --listen takes: HOST:PORT, or the absolute path of a Unix socket."""

    directory: Path
    listen: str
    children: int = 2

    def prepare(self, *, rules: Sequence[Path], trust: str) -> None:
        """Write the configuration: the system's plugins, the directories of `rules`, and `trust`."""
        state = f"bayes_path {self._home}/bayes\n"
        write_site(self.site, rules=rules, further={"90-trust.cf": trust, "90-state.cf": state})
        self._home.mkdir(exist_ok=True)
        if user := _service_user():
            for path in (self._home, *self._home.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)

    def command(self, *options: str) -> list[str]:
        """The command that runs it in the foreground, logging to stderr. Raises NoSpamd."""
        user = _service_user()
        return [
            find_spamd(),
            f"--siteconfigpath={self.site}",
            f"--listen={self.listen}",
            f"--max-children={self.children}",
            f"--min-children={self.children}",  # all from the start: spamd starts further ones late
            f"--max-spare={self.children}",
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
        return self.directory / HOME


def find_spamd() -> str:
    """The path of spamd, which may stand where only root's PATH leads. Raises NoSpamd."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    found = shutil.which("spamd", path=path)
    if found is None:
        raise NoSpamd("spamd is not installed: apt-get install spamd")
    return found


def _service_user() -> pwd.struct_passwd | None:
    """Whom spamd becomes where we are root; None where we are not, and it stays who we are."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next((known[name] for name in SERVICE_USERS if name in known), None)
