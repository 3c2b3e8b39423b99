"""A real spamd of one's own: SpamAssassin's shipped rules and ours, a loopback port or a Unix socket, no network."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.scoring.client import Patience, Spamd
from gateway.scoring.hosts import SpamdHost, TcpAddress, UnixAddress, parse_address
from gateway.scoring.spamc import Command, request
from gateway.scoring.trust import render_trust
from gateway.system.private_spamd import NoSpamd, PrivateSpamd, find_spamd

SHIPPED = Path(__file__).parents[2] / "rules" / "spamassassin"
START = 60.0  # seconds that spamd may take to load its rules; two or three on an idle machine
AUTHSERV_ID = "mx.example.org"
OWN_NETWORK = "198.51.100.0/24"
RELAY_NETWORK = "203.0.113.0/24"
TRUST = render_trust([ip_network(OWN_NETWORK)], [ip_network(RELAY_NETWORK)], AUTHSERV_ID)
STOP = 10.0  # seconds that the children of a killed spamd may take to go
LOCAL_ONLY = ("--local",)

STRANGER = "100.128.0.7"  # a public address, in nobody's trust
STRANGER_6 = "2a0e:b107::7"
# Rules that show what SpamAssassin makes of the path and the envelope.
REVEALING = r"""
header FIRST_EXTERNAL_IS_STRANGER X-Spam-Relays-External =~ /^\[ ip=(?:100\.128\.0\.7|2a0e:b107::7) /
score FIRST_EXTERNAL_IS_STRANGER 0.001
header FIRST_UNTRUSTED_IS_STRANGER X-Spam-Relays-Untrusted =~ /^\[ ip=(?:100\.128\.0\.7|2a0e:b107::7) /
score FIRST_UNTRUSTED_IS_STRANGER 0.001
header SENDER_IS_ANN EnvelopeFrom:addr =~ /^ann\@author\.example$/
score SENDER_IS_ANN 0.001
"""
PATIENT = Patience(connect=5.0, total=60.0)


@dataclass(frozen=True)
class RunningSpamd:
    address: str  # as in the settings: HOST:PORT or unix:///PATH
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def host(self) -> SpamdHost:
        return SpamdHost(address=self.address)

    @property
    def client(self) -> Spamd:
        return Spamd(parse_address(self.address), PATIENT)

    def kill(self) -> None:
        """End it and its children at once, as a crash would; nobody listens any more afterwards."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        deadline = time.monotonic() + STOP
        while _is_listening(self.address) and time.monotonic() < deadline:
            time.sleep(0.01)


@contextlib.contextmanager
def running_spamd(
    *,
    address: str | None = None,
    options: Sequence[str] = LOCAL_ONLY,
    settings: str = "",
    trust: str = TRUST,
    children: int = 2,
) -> Iterator[RunningSpamd]:
    """Run a spamd that answers PING, and end it.

    `address` is a free port, or "unix://{directory}/NAME" in its own directory; `settings` are further lines of .cf.
    """
    with contextlib.ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="mailward-spamd-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        directory.chmod(0o755)
        address = address.format(directory=directory) if address else f"127.0.0.1:{free_port()}"
        private = PrivateSpamd(directory=directory, listen=address.removeprefix("unix://"), children=children)
        private.prepare(rules=[SHIPPED], trust=trust + "bayes_auto_learn 0\n" + settings)
        log = directory / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                private.command(*options),
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        spamd = RunningSpamd(address=address, process=process, log=log)
        stack.callback(_end, process)
        _wait_until_it_answers(spamd)
        yield spamd


@pytest.fixture(scope="session")
def spamd() -> Iterator[RunningSpamd]:
    """The one spamd of a test run, not to be ended. Without SpamAssassin the test is skipped; in CI it fails."""
    if not is_installed():
        message = "spamd is not installed: what needs it is left out"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with running_spamd(settings=REVEALING) as running:
        yield running


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_installed() -> bool:
    try:
        return bool(find_spamd())
    except NoSpamd:
        return False


def _wait_until_it_answers(spamd: RunningSpamd) -> None:
    deadline = time.monotonic() + START
    while not _answers(spamd.address):
        if spamd.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"spamd did not start: {spamd.log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError), _connected(address) as connection:
        connection.sendall(request(Command.PING))
        return connection.recv(100).endswith(b"PONG\r\n")
    return False


def _is_listening(address: str) -> bool:
    with contextlib.suppress(OSError), _connected(address):
        return True
    return False


def _connected(address: str) -> socket.socket:
    """Without an event loop, since one may be running here."""
    match parse_address(address):
        case TcpAddress(host, port):
            return socket.create_connection((host, port), timeout=5)
        case UnixAddress(path):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(5)
            try:
                connection.connect(path)
            except OSError:
                connection.close()
                raise
            return connection


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
