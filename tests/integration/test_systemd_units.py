"""The shipped units, and what they ask of the gateway: socket activation, readiness, watchdog and hardening."""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.system.listening import NAME_OF_TLS
from tests.support.supervised import ROOT, Supervised, until

DEPLOY = ROOT / "deploy"
WORST_EXPOSURE = 20  # tenths: 2.0

PR_SET_MDWE = 65  # prctl(2), Linux 6.3
PR_MDWE_REFUSE_EXEC_GAIN = 1

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs Debian's systemd")
needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="needs Debian's strace")


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(20)

    def hears(self, assignment: str) -> dict[str, str]:
        """The first message from now on that has the assignment."""
        while assignment not in (lines := self.socket.recv(4096).decode().splitlines()):
            pass
        return dict(line.split("=", 1) for line in lines)

    def what_comes_in(self, seconds: float) -> str:
        """All that is said from now on for so long."""
        time.sleep(seconds)
        heard = ""
        while select.select([self.socket], [], [], 0)[0]:
            heard += self.socket.recv(4096).decode() + "\n"
        return heard


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


@needs_systemd
def test_exposure_of_the_service_is_low() -> None:
    unit = str(DEPLOY / "mailward.service")
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={WORST_EXPOSURE}", unit]
    judged = subprocess.run(command, capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout + judged.stderr


@needs_systemd
def test_units_are_without_error(tmp_path: Path) -> None:
    """With a program that exists here in the place of the installed one."""
    service = (DEPLOY / "mailward.service").read_text()
    (tmp_path / "mailward.service").write_text(service.replace("/usr/bin/mailward", "/bin/true"))
    sockets = ("mailward.socket", "mailward-tls.socket")
    for name in sockets:
        shutil.copy(DEPLOY / name, tmp_path)
    units = [str(tmp_path / name) for name in ("mailward.service", *sockets)]
    verified = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")


@needs_systemd
def test_user_and_directories_are_without_error(tmp_path: Path) -> None:
    for folder in ("etc", "usr/lib"):
        (tmp_path / folder).mkdir(parents=True)
    made = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", str(DEPLOY / "mailward.sysusers")], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    assert re.search(r"^mailward:", (tmp_path / "etc/passwd").read_text(), re.MULTILINE)
    tidy = ["systemd-tmpfiles", f"--root={tmp_path}", "--create", str(DEPLOY / "mailward.tmpfiles")]
    created = subprocess.run(tidy, capture_output=True, text=True)
    assert created.returncode == 0, created.stderr
    assert (tmp_path / "etc/mailward/rules.d").is_dir()


def test_time_to_stop_is_longer_than_the_drain() -> None:
    from gateway.supervisor import SupervisorSettings

    settings = SupervisorSettings()
    timeout = re.search(r"^TimeoutStopSec=(\d+)$", (DEPLOY / "mailward.service").read_text(), re.MULTILINE)
    assert timeout
    assert int(timeout[1]) > settings.drain_seconds + settings.finish_seconds


def test_readiness_reload_and_stop_are_announced(manager: Manager, tmp_path: Path) -> None:
    with Supervised(tmp_path, environment={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as gateway:
        assert "2 ready" in manager.hears("READY=1")["STATUS"]
        gateway.ready().signal(signal.SIGHUP)
        assert int(manager.hears("RELOADING=1")["MONOTONIC_USEC"]) > 0
        manager.hears("READY=1")
        gateway.signal(signal.SIGTERM)
        manager.hears("STOPPING=1")
        assert gateway.wait() == 0


def test_watchdog_is_fed_only_while_loops_turn(manager: Manager, tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    with Supervised(tmp_path, environment=environment, workers=1) as gateway:
        manager.hears("WATCHDOG=1")
        (tmp_path / "failing").touch()
        os.kill(gateway.ready().children().pop(), signal.SIGKILL)
        until(lambda: gateway.has_logged("cause=killed"), "the end of the only worker")
        manager.what_comes_in(0)
        assert "WATCHDOG" not in manager.what_comes_in(0.6)  # twice the interval
        (tmp_path / "failing").unlink()
        manager.hears("WATCHDOG=1")


def test_socket_for_tls_has_the_name_that_says_so() -> None:
    names = {
        unit: re.search(r"^FileDescriptorName=(\S+)$", (DEPLOY / unit).read_text(), re.MULTILINE)[1]  # type: ignore[index]
        for unit in ("mailward.socket", "mailward-tls.socket")
    }
    assert names == {"mailward.socket": "smtp", "mailward-tls.socket": NAME_OF_TLS}


@needs_systemd
def test_sockets_of_systemd_are_served_instead_of_our_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    activate = shutil.which("systemd-socket-activate") or ""
    prefix = (activate, f"--listen=127.0.0.1:{port}", "--fdname=smtp", "--setenv=PATH")
    with Supervised(tmp_path, prefix=prefix) as gateway:
        until(lambda: gateway.has_logged("Listening on"), "systemd to listen")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as first:  # this starts the gateway
            assert first.makefile("r").readline().strip().isdigit()
        assert gateway.ready().port == port
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0


def test_nothing_needs_memory_that_is_writable_and_executable(tmp_path: Path) -> None:
    """MemoryDenyWriteExecute=, by the kernel's own means: every library is loaded and used, and the workers serve."""
    used = subprocess.run([sys.executable, "-c", DENY + USE_LIBRARIES], cwd=ROOT, capture_output=True, text=True)
    if LACKING in used.stderr:
        pytest.skip(LACKING)
    assert used.returncode == 0, used.stderr
    program = f"{DENY}\nimport os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
    with Supervised(tmp_path, prefix=(sys.executable, "-c", program)).ready() as gateway:
        assert gateway.get("/healthz")[0] == 200


@needs_systemd
@needs_strace
def test_every_system_call_is_one_that_the_service_may_make(tmp_path: Path) -> None:
    trace = tmp_path / "calls"
    prefix = ("strace", "-D", "-f", "-qq", "--signal=none", f"--output={trace}")
    with Supervised(tmp_path, prefix=prefix, start_seconds=60).ready() as gateway:
        gateway.workers()
        gateway.get("/metrics")
        gateway.signal(signal.SIGHUP)
        until(lambda: gateway.has_logged("outcome=done"), "the reload")
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
    made = set(re.findall(r"^\d+ +(?:<\.\.\. )?([a-z_0-9]+)[( ]", trace.read_text(), re.MULTILINE))
    assert made
    assert made - _members("@system-service") == set()
    assert made & (_members("@privileged") | _members("@resources")) == set()


LACKING = "the kernel has no PR_SET_MDWE (Linux 6.3)"

DENY = f"""
import ctypes
if ctypes.CDLL(None).prctl({PR_SET_MDWE}, *map(ctypes.c_ulong, ({PR_MDWE_REFUSE_EXEC_GAIN}, 0, 0, 0))):
    raise SystemExit("{LACKING}")
"""

USE_LIBRARIES = """
import asyncio, dkim, greenlet, mmap, psycopg, pycares, re2, spf, sqlalchemy, ssl, uvloop
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    pass
else:
    raise SystemExit("nothing is denied here")

key = rsa.generate_private_key(65537, 2048)
signature = key.sign(b"text", padding.PKCS1v15(), hashes.SHA256())
key.public_key().verify(signature, b"text", padding.PKCS1v15(), hashes.SHA256())
assert re2.compile("(a+)+").search("aab")
assert sqlalchemy.create_engine("sqlite://").connect().exec_driver_sql("SELECT 7").scalar() == 7
assert greenlet.greenlet(lambda: 5).switch() == 5
ssl.create_default_context()

async def ask():
    called = asyncio.get_running_loop().create_future()
    channel = pycares.Channel(sock_state_cb=lambda fd, *_: None, timeout=0.1, tries=1)
    channel.query("example.org", pycares.QUERY_TYPE_A, callback=lambda *answer: called.set_result(answer))
    channel.cancel()
    await called  # the callback from C has come

uvloop.run(ask())
"""


def _members(name: str) -> set[str]:
    """The system calls of a set of systemd's, with those of the sets within it."""
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    names = {line.strip() for line in listed.stdout.splitlines()[1:] if line.strip() and "#" not in line}
    inner = {member for member in names if member.startswith("@")}
    return (names - inner).union(*map(_members, inner))
