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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.spamd import free_port

HOSTNAME = "mx.example.org"
PATIENCE = 30.0  # seconds; a worker needs one or two to import everything
STOP = 20.0  # seconds

CONFIGURATION = """\
hostname = "{hostname}"
domains = ["example.org"]
listen = ["127.0.0.1:{port}"]
state_directory = "{root}"
spool_directory = "{root}"

[networks]
own = ["127.0.0.1/32"]

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
    process: "subprocess.Popen[bytes]"

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
        """Every line of the log so far."""
        lines = (self.root / "log").read_text().splitlines()
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


@contextlib.contextmanager
def running_gateway(
    root: Path, *, dns: str, more: str, workers: int = 1, rules: str = "", hostname: str = HOSTNAME
) -> Iterator[RunningGateway]:
    """Serve until the end of the block. `more` are further tables of the configuration, `rules` is a file of rules."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "rules.d").mkdir(exist_ok=True)
    (root / "lists").mkdir(exist_ok=True)
    (root / "rules.d" / "site.toml").write_text(rules)
    port, status = free_port(), free_port()
    text = CONFIGURATION.format(
        root=root, port=port, status=status, dns=dns, more=more, workers=workers, hostname=hostname
    )
    (root / "mailward.toml").write_text(text)
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(root / "mailward.toml")]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    gateway = RunningGateway(root, port, status, process)
    try:
        _wait_until_ready(gateway)
        yield gateway
    finally:
        if process.poll() is None:
            try:
                gateway.stop()
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(gateway: RunningGateway) -> None:
    deadline = time.monotonic() + PATIENCE
    while not any(line["event"] == "ready" for line in gateway.log()):
        if gateway.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the gateway did not start:\n{(gateway.root / 'log').read_text()}")
        time.sleep(0.05)


@contextlib.contextmanager
def dns_process(root: Path, zone: str) -> Iterator[str]:
    """A DNS server in a process of its own, for gateways that run in theirs; gives its ADDRESS:PORT."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "zone").write_text(zone)
    command = [sys.executable, "-m", "tests.support.dnsserver", str(root / "zone")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(STOP)
        process.stdout.close()
