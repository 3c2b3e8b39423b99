"""A private real Postfix: its own configuration, queue and data under one directory, on a free loopback port.

    with Postfix() as postfix:
        ...                                   # speak SMTP to 127.0.0.1, postfix.port
        postfix.mailbox("alice")              # the messages that arrived for alice@example.org
        postfix.log()

Needs Debian's postfix and root, since its daemons change their user. It ends by its pid, with all its daemons.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

DOMAIN = "example.org"
USERS = ("alice", "bob", "carol")
PATIENCE = 30.0  # seconds; it needs about one

_MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
mail_owner = postfix
setgid_group = postdrop
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
maillog_file = {root}/log
maillog_file_prefixes = {root}
multi_instance_enable = no
myhostname = mail.{domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 192.0.2.255/32
alias_maps =
alias_database =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = texthash:{root}/users
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
smtpd_authorized_xforward_hosts = 127.0.0.1
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = none
header_checks = regexp:{root}/header_checks
maximal_queue_lifetime = 0
bounce_queue_lifetime = 0
notify_classes =
{settings}
"""

SMTPD = "127.0.0.1:{port} inet n - n - - smtpd\n"

_MASTER = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


def is_available() -> bool:
    return os.geteuid() == 0 and shutil.which("postfix") is not None


class Postfix:
    """`smtpd` is the service of master.cf that listens on {port}; `settings` are further ones of main.cf, and
    `header_checks` is such a table, of regular expressions."""

    def __init__(
        self,
        *,
        users: Sequence[str] = USERS,
        settings: Mapping[str, str] | None = None,
        smtpd: str = SMTPD,
        header_checks: str = "",
    ) -> None:
        # Not in a directory of pytest: another pytest that starts closes those to the users of Postfix's daemons.
        self._root = Path(tempfile.mkdtemp(prefix="mailward-postfix-"))
        self._users = users
        self._settings = settings or {}
        self._smtpd = smtpd
        self._header_checks = header_checks
        self._master: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        try:
            self._prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._root, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Of its master, from which all its daemons descend."""
        assert self._master is not None
        return self._master.pid

    def start(self) -> None:
        """Start it, also again after stop(), on the same port."""
        master = ["/usr/lib/postfix/sbin/master", "-c", str(self._root / "etc"), "-d", "-s"]
        with (self._root / "stderr").open("ab") as errors:
            self._master = subprocess.Popen(
                master, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True
            )
        self.wait_until(self._answers, "Postfix did not start")

    def stop(self) -> None:
        """End it, and every daemon of its."""
        master, self._master = self._master, None
        if master is None:
            return
        master.terminate()
        try:
            master.wait(timeout=10)
        except subprocess.TimeoutExpired:
            master.kill()
            master.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(master.pid, signal.SIGKILL)

    def mailbox(self, user: str) -> list[bytes]:
        """The messages that arrived for a user, oldest first, as Postfix wrote them (with bare line feeds)."""
        files = sorted((self._root / "mail" / user / "new").glob("*"), key=lambda file: file.stat().st_mtime_ns)
        return [file.read_bytes() for file in files]

    def wait_for_mail(self, user: str, count: int = 1) -> list[bytes]:
        self.wait_until(lambda: len(self.mailbox(user)) >= count, f"{count} messages did not arrive for {user}")
        return self.mailbox(user)

    def log(self) -> str:
        file = self._root / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def wait_until(self, condition: Callable[[], bool], failure: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            status = self._master.poll() if self._master else None
            if status is not None or time.monotonic() > deadline:
                errors = (self._root / "stderr").read_text(errors="replace")
                raise AssertionError(f"{failure} (status {status}):\n{errors[-2000:]}\n{self.log()[-3000:]}")
            time.sleep(0.02)

    def _prepare(self) -> None:
        self._root.chmod(0o755)
        for part in ("etc", "queue", "data", "mail"):
            (self._root / part).mkdir()
        shutil.chown(self._root / "data", "postfix")
        os.chown(self._root / "mail", 65534, 65534)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        settings = "\n".join(f"{key} = {value}" for key, value in self._settings.items())
        main = _MAIN.format(root=self._root, domain=DOMAIN, settings=settings)
        (self._root / "etc" / "main.cf").write_text(main)
        (self._root / "etc" / "master.cf").write_text(self._smtpd.format(port=self.port) + _MASTER)
        (self._root / "header_checks").write_text(self._header_checks)
        (self._root / "users").write_text("".join(f"{user}@{DOMAIN} {user}/\n" for user in self._users))
        self._make_queue()

    def _make_queue(self) -> None:
        """The queue as post-install would make it."""
        queue = self._root / "queue"
        for name in (
            "active",
            "bounce",
            "corrupt",
            "defer",
            "deferred",
            "flush",
            "hold",
            "incoming",
            "private",
            "saved",
            "trace",
        ):
            (queue / name).mkdir(mode=0o700)
            shutil.chown(queue / name, "postfix")
        (queue / "pid").mkdir(mode=0o755)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            (queue / name).mkdir()
            shutil.chown(queue / name, "postfix", "postdrop")
            (queue / name).chmod(mode)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                return connection.recv(512).startswith(b"220")
        except OSError:
            return False
