"""`mailward try`: the gateway with a private spamd, to look at. Everything it keeps is in one directory."""

import argparse
import asyncio
import os
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gateway.addresses import split_host_port
from gateway.cli.options import WRONG, print_problems
from gateway.cli.serve import serve
from gateway.config import ConfigError, Settings, load
from gateway.policy.shipped import SPAMASSASSIN, shipped_rules
from gateway.scoring.client import Patience, Spamd
from gateway.scoring.hosts import parse_address
from gateway.scoring.trust import render_trust
from gateway.system import listening
from gateway.system.private_spamd import HOME, NoSpamd, PrivateSpamd

FILE = "mailward.toml"
LISTEN = "127.0.0.1:2525"
SPAMD_START = 60.0  # seconds; SpamAssassin compiles a thousand rules when it starts
SPAMD_PATIENCE = Patience(connect=1.0, total=5.0)
SPAMD_STOP = 10.0  # seconds
SPAMD_CHILDREN = 2
LOG = "spamd.log"

CONFIGURATION = """\
# Written by `mailward try`. Change it as you like: it is not written again while it is here.
# Every key there is, with its default, stands in the shipped mailward.toml.
hostname = "localhost"
domains = ["localhost", "example.org"]
listen = ["{listen}"]
state_directory = "{state}"
spool_directory = "{state}/spool"

[route.default]
hosts = ["maildir://{state}/mail"]

[rules]
site = "{state}/rules.d"
lists = "{state}/lists"

[workers]
status_listen = "127.0.0.1:{status_port}"

[[spamd.hosts]]
address = "127.0.0.1:{spamd_port}"
concurrency = {children}
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("try", help="run it on 127.0.0.1:2525 with a private spamd, to look at it")
    parser.add_argument("--state", type=Path, default=Path("var"), metavar="DIR", help="everything it keeps (var)")
    parser.add_argument("--listen", metavar="HOST:PORT", help=f"where mail is awaited ({LISTEN}, or as configured)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    state = options.state.absolute()
    try:
        split_host_port(options.listen or LISTEN)  # before it is written
        config = _configuration(state, options.listen or LISTEN)
        settings = load(config)
        if options.listen:
            settings = settings.model_copy(update={"listen": (options.listen,)})
        _look_for_others(settings)
    except ConfigError as error:
        print_problems(error.problems)
        return WRONG
    except OSError as error:
        print(f"mailward try: {error.filename or ''}{': ' if error.filename else ''}{error.strerror}", file=sys.stderr)
        return WRONG
    except ValueError as error:
        print(f"mailward try: --listen {options.listen}: {error}", file=sys.stderr)
        return WRONG
    with _ended_by_sigterm(), _spamd(settings, state):
        _explain(settings, config, state)
        return serve(config, listen=settings.listen)


def _look_for_others(settings: Settings) -> None:
    """Raises OSError, ValueError where the gateway could not listen: better now than after spamd has started."""
    for address in (*settings.listen, *settings.listen_tls, settings.workers.status_listen):
        if address:
            listening.bind(address).close()


def _configuration(state: Path, listen: str) -> Path:
    """The configuration in `state`, written if it is not there."""
    config = state / FILE
    for directory in (state / "spool", state / "mail", state / "rules.d", state / "lists"):
        directory.mkdir(parents=True, exist_ok=True)
    if not config.exists():
        _, port = split_host_port(listen)
        status_port, spamd_port = _free_ports(2, besides=port)
        text = CONFIGURATION.format(
            listen=listen, state=state, status_port=status_port, spamd_port=spamd_port, children=SPAMD_CHILDREN
        )
        config.write_text(text, encoding="utf-8")
    return config


def _free_ports(count: int, *, besides: int) -> list[int]:
    """Loopback ports that nobody listens at, nor will soon at `besides`, for what is not looked at from outside."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count + 1)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return [port for port in ports if port != besides][:count]


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end what is being started as Ctrl-C does; once it serves, the supervisor listens to both."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _spamd(settings: Settings, state: Path) -> Iterator[None]:
    """A private spamd at the first configured host while this lasts; without SpamAssassin, none."""
    if not settings.spamd.hosts:
        yield
        return
    address = settings.spamd.hosts[0].address
    with _readable_directory(state / "spamd") as directory:
        spamd = PrivateSpamd(directory, address, SPAMD_CHILDREN)
        try:
            trust = render_trust(settings.networks.own, settings.networks.relays, settings.identity)
            spamd.prepare(rules=(shipped_rules() / SPAMASSASSIN, settings.rules.site / SPAMASSASSIN), trust=trust)
            command = spamd.command("--local", "--allow-tell")  # spamd serves this host alone
        except NoSpamd as error:
            print(f"{error}. Until then mail is delivered unscored, and marked so.", file=sys.stderr)
            yield
            return
        process = _start(command, state / LOG)
        try:
            _wait_for(process, address, state / LOG)
            yield
        finally:
            _stop(process)


@contextmanager
def _readable_directory(wanted: Path) -> Iterator[Path]:
    """A place for spamd's files. Started by root it becomes another user, who cannot come to what is below /root: then
    it is a temporary one, and what spamd has learned is kept in the wanted one."""
    wanted.mkdir(exist_ok=True)
    if os.geteuid() != 0 or all(path.stat().st_mode & stat.S_IXOTH for path in (wanted, *wanted.parents)):
        yield wanted
        return
    with tempfile.TemporaryDirectory(prefix="mailward-spamd-") as directory:
        os.chmod(directory, 0o755)  # noqa: S103  it is to be read
        _copy(wanted / HOME, Path(directory) / HOME)
        try:
            yield Path(directory)
        finally:
            _copy(Path(directory) / HOME, wanted / HOME)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)  # no other file is read through a link


def _start(command: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def _wait_for(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    """Until it answers: it listens before it has read its rules, and may end in between."""
    spamd = Spamd(parse_address(address), SPAMD_PATIENCE)
    deadline = time.monotonic() + SPAMD_START
    print("Starting a private spamd ...", file=sys.stderr)
    while process.poll() is None and time.monotonic() < deadline:
        if asyncio.run(spamd.ping()) is None:
            return
        time.sleep(0.1)
    print(f"spamd did not start; see {log}. Mail is delivered unscored, and marked so.", file=sys.stderr)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(SPAMD_STOP)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _explain(settings: Settings, config: Path, state: Path) -> None:
    """Say what there is, how to send the first message, and where it will be."""
    listen = settings.listen[0]
    print(
        rf"""
Mailward takes mail for any recipient at {" and ".join(settings.domains)} on {listen}.

  Send a first message, in another terminal:
    printf 'From: you@example.com\nTo: me@example.org\nSubject: Hello\n\nA first message.\n' |
      {_command()} send - --to {listen}
  See it arrive:
    cat {shlex.quote(str(state / "mail/example.org/me/new"))}/*
  Configuration {config}, your own rules {settings.rules.site}/*.toml. Put changes in force:
    {_command()} rules reload --config {shlex.quote(str(config))}
  Metrics http://{settings.workers.status_listen}/metrics. Ctrl-C ends it.
""",
        flush=True,
    )


def _command() -> str:
    """How this command was called, so that what is printed can be pasted."""
    called = sys.argv[0]
    if shutil.which("mailward") == os.path.abspath(called):
        return "mailward"
    return shlex.quote(called) if os.access(called, os.X_OK) else f"{shlex.quote(sys.executable)} -m gateway"
