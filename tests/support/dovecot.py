"""A private real Dovecot that takes mail by LMTP: its own directory, a Unix socket, a Maildir for each user.

    with Dovecot(config=CONFIG, sieve=SCRIPT) as dovecot:
        ...                                       # speak LMTP to dovecot.socket
        dovecot.mailbox("alice", "Junk")

Needs Debian's dovecot-lmtpd and dovecot-sieve, and root.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

PATIENCE = 20.0  # seconds; it needs less than one

_CONFIG = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
ssl = no
mail_location = maildir:{root}/mail/%n
mail_home = {root}/home/%n
first_valid_uid = 1
default_internal_user = dovecot
default_login_user = dovenull
auth_username_format = %Ln
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {root}/users
}}
plugin {{
  sieve_before = {root}/before.sieve
}}
{example}
"""


def is_available() -> bool:
    return os.geteuid() == 0 and Path("/usr/lib/dovecot/lmtp").exists() and shutil.which("sievec") is not None


class Dovecot:
    """`config` is a part of dovecot.conf that makes it speak LMTP on {socket}; `sieve` is run for every user."""

    def __init__(self, *, config: str, sieve: str, users: tuple[str, ...] = ("alice", "bob")) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="mailward-dovecot-"))
        self._config = config
        self._sieve = sieve
        self._users = users
        self._master: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self._root / "run" / "lmtp"

    def __enter__(self) -> Self:
        try:
            self._prepare()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._master is not None:
            self._master.terminate()
            try:
                self._master.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._master.kill()
                self._master.wait()
        shutil.rmtree(self._root, ignore_errors=True)

    def _start(self) -> None:
        command = ["/usr/sbin/dovecot", "-F", "-c", str(self._root / "dovecot.conf")]
        with (self._root / "stderr").open("wb") as errors:
            self._master = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        deadline = time.monotonic() + PATIENCE
        while not self.socket.exists():
            if self._master.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Dovecot did not start: {self.log()}")
            time.sleep(0.02)

    def mailbox(self, user: str, folder: str = "") -> list[bytes]:
        """What is in a folder of a user; "" is the inbox. LMTP says 250 only once it is there."""
        maildir = self._root / "mail" / user / (f".{folder}" if folder else "")
        return [file.read_bytes() for file in sorted(maildir.glob("new/*"))]

    def log(self) -> str:
        files = (self._root / "stderr", self._root / "log")
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in files if file.exists())

    def _prepare(self) -> None:
        self._root.chmod(0o755)
        for part in ("mail", "home"):
            (self._root / part).mkdir()
            os.chown(self._root / part, 65534, 65534)
        users = "".join(f"{user}::65534:65534::{self._root}/home/{user}::\n" for user in self._users)
        (self._root / "users").write_text(users)
        (self._root / "before.sieve").write_text(self._sieve)
        config = _CONFIG.format(root=self._root, example=self._config.replace("{socket}", str(self.socket)))
        (self._root / "dovecot.conf").write_text(config)
        compile_ = ["sievec", "-c", str(self._root / "dovecot.conf"), str(self._root / "before.sieve")]
        subprocess.run(compile_, check=True, capture_output=True, timeout=30)
