"""A world of its own for the peers: namespaces of the kernel in which nothing reaches the network, the processes or the
files of this host, and of which nothing is left when the program ends.

The senders' addresses are of 198.18.0.0/15, which RFC 2544 sets aside for benchmarks: what comes from 127.0.0.0/8 most
systems trust, and check nothing. DNS is unbound at 127.0.0.1:53, with the corpus' zone as its root.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.corpus import Corpus
from tests.bench.traffic import wait_for_port

NETWORK = "198.18.0.0/15"
FIRST = "198.18.0.0"
INSIDE = "MAILWARD_BENCH_INSIDE"  # set in the environment of the program once it is inside
ROOT = """\
. 3600 IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 3600
. 3600 IN NS ns.invalid.
ns.invalid. 3600 IN A 127.0.0.1
"""
UNBOUND = """\
server:
  interface: 127.0.0.1
  do-daemonize: no
  chroot: ""
  username: ""
  pidfile: ""
  directory: "{root}"
  use-syslog: no
  logfile: "{root}/unbound.log"
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "198.in-addr.arpa." nodefault
auth-zone:
  name: "."
  zonefile: "{root}/zone"
  for-downstream: no
  for-upstream: yes
remote-control:
  control-enable: no
"""


def is_inside() -> bool:
    return INSIDE in os.environ


def enter() -> None:
    """Start this program anew, inside; does not come back. All processes there end with it."""
    os.environ[INSIDE] = "yes"
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    os.execvp(command[0], [*command, sys.executable, *sys.orig_argv[1:]])


def set_up(directory: Path) -> None:
    """Loopback, the senders' addresses, and a resolver. Raises CalledProcessError, OSError."""
    for command in (
        "ip link set lo up",
        f"ip route add local {NETWORK} dev lo",
        "sysctl -qw net.ipv4.tcp_tw_reuse=1 net.core.somaxconn=4096 net.ipv4.tcp_max_syn_backlog=8192",
        "sysctl -qw net.ipv4.ip_local_port_range='20000 65000'",
    ):
        subprocess.run(command, shell=True, check=True)
    (directory / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", directory / "resolv.conf", Path("/etc/resolv.conf").resolve()], check=True)


@contextlib.contextmanager
def unbound(directory: Path, corpus: Corpus) -> Iterator[str]:
    """Serve the zone until the end of the block; its ADDRESS:PORT."""
    (directory / "zone").write_text(ROOT + corpus.zone)
    (directory / "unbound.conf").write_text(UNBOUND.format(root=directory))
    process = subprocess.Popen(["unbound", "-d", "-c", directory / "unbound.conf"], stdin=subprocess.DEVNULL)
    try:
        wait_for_port(53)
        yield "127.0.0.1:53"
    finally:
        process.terminate()
        process.wait()
