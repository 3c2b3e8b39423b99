"""The gateway as it runs: `mailward serve` in processes of its own, on a free loopback port.

Clients that bind to 127.0.0.2 and above are strangers to it; 127.0.0.1 is one of its own networks.
"""

import contextlib
import json
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.spamd import free_port
from tests.support.supervised import is_alive

HOSTNAME = "mx.example.org"
PATIENCE = 30.0  # seconds; a worker needs one or two to import everything
STOP = 20.0  # seconds

CONFIGURATION = """\
hostname = "{hostname}"
domains = ["example.org"]
listen = ["127.0.0.1:{port}"]
listen_tls = {listen_tls}
state_directory = "{root}"
spool_directory = "{root}"

[networks]
own = ["127.0.0.1/32"]
{networks}

[dns]
servers = ["{dns}"]

[rules]
site = "{root}/rules.d"
lists = "{root}/lists"

[workers]
workers = {workers}
status_listen = "127.0.0.1:{status}"

[log]
format = "json"

[journal]
{journal}

{more}
"""


@dataclass(frozen=True)
class Answer:
    """What the client was told last, with the command that it was told it for."""

    command: str
    code: int
    octets: bytes

    @property
    def text(self) -> str:
        return self.octets.decode()


@dataclass
class RunningGateway:
    root: Path
    port: int
    status_port: int
    process: "subprocess.Popen[bytes]" = field(init=False)

    @property
    def config(self) -> Path:
        return self.root / "mailward.toml"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def client(self, source: str = "127.0.0.9", helo: str = "mail.sender.example") -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, local_hostname=helo, timeout=60, source_address=(source, 0))

    def send(
        self, message: bytes, *, sender: str, recipient: str = "alice@example.org", source: str = "127.0.0.9"
    ) -> Answer:
        """Bring a message as a client at `source`, as far as it is let."""
        with self.client(source) as client:
            client.ehlo()
            answer = Answer("MAIL", *client.mail(sender))
            if answer.code < 400:
                answer = Answer("RCPT", *client.docmd(f"RCPT TO:<{recipient}>"))
            if answer.code < 400:
                answer = Answer("DATA", *client.data(message))
            return answer

    def log(self) -> list[dict[str, Any]]:
        """Every line of the log so far; the last one may be half written."""
        whole, _, _ = (self.root / "log").read_text().rpartition("\n")
        lines = whole.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def records(self, event: str = "message") -> list[dict[str, Any]]:
        return [line for line in self.log() if line["event"] == event]

    def wait_for_record(self, count: int = 1, event: str = "message") -> dict[str, Any]:
        """The `count`-th record; the log is written a moment after the reply."""
        deadline = time.monotonic() + PATIENCE
        while len(records := self.records(event)) < count:
            assert time.monotonic() < deadline, f"only {len(records)} records of {event!r} in the log"
            time.sleep(0.02)
        return records[count - 1]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(STOP)

    def start(self) -> None:
        """Start it, also again after its end, with the configuration as it is now."""
        command = [sys.executable, "-m", "gateway", "serve", "--config", str(self.config)]
        ready = len(self.records("ready")) if (self.root / "log").exists() else 0
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until_ready(ready + 1)

    def end(self) -> None:
        """Leave nothing running, whatever happened."""
        if not hasattr(self, "process") or self.process.poll() is not None:
            return
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def workers(self) -> set[int]:
        """The processes of the workers, those that are starting too."""
        return self._children(" worker ")

    def journal(self) -> set[int]:
        """The process of the journal."""
        return self._children(" journal ")

    def _children(self, word: str) -> set[int]:
        """Those that were started by a command with that word."""
        try:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return set()
        return {int(pid) for pid in children.split() if is_alive(int(pid)) and word in _command_of(int(pid))}

    def _wait_until_ready(self, times: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while len(self.records("ready")) < times:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the gateway did not start:\n{(self.root / 'log').read_text()}")
            time.sleep(0.05)


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@contextlib.contextmanager
def running_gateway(
    root: Path,
    *,
    dns: str,
    more: str,
    workers: int = 1,
    rules: str = "",
    hostname: str = HOSTNAME,
    networks: str = "",
    listen_tls: str = "",
    journal: str = "enabled = false",
) -> Iterator[RunningGateway]:
    """Serve until the end of the block. `more` are further tables of the configuration, `networks` further keys of
    [networks] and `journal` those of [journal], `rules` is a file of rules, `listen_tls` HOST:PORT."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "rules.d").mkdir(exist_ok=True)
    (root / "lists").mkdir(exist_ok=True)
    (root / "rules.d" / "site.toml").write_text(rules)
    port, status = free_port(), free_port()
    text = CONFIGURATION.format(
        root=root,
        port=port,
        status=status,
        dns=dns,
        more=more,
        workers=workers,
        hostname=hostname,
        networks=networks,
        journal=journal,
        listen_tls=[listen_tls] if listen_tls else [],
    )
    (root / "mailward.toml").write_text(text)
    gateway = RunningGateway(root, port, status)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.end()


@contextlib.contextmanager
def dns_process(root: Path, zone: str, *faults: str) -> Iterator[str]:
    """A DNS server in a process of its own, for gateways that run in theirs; gives its ADDRESS:PORT. A fault is
    NAME=servfail or NAME=timeout."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "zone").write_text(zone)
    command = [sys.executable, "-m", "tests.support.dnsserver", str(root / "zone")]
    command += [f"--fault={fault}" for fault in faults]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(STOP)
        process.stdout.close()
