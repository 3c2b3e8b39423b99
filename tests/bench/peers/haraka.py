"""Haraka with its SPF and DKIM plugins, a process a core; it has no DMARC. From npm, into var/bench/haraka, once."""

import contextlib
import subprocess
from collections.abc import Iterator

from tests.bench.peers.peer import Peer, Place, Running, daemon, listening
from tests.bench.traffic import BUILT
from tests.support.spamd import free_port

HOME = BUILT / "haraka"
PACKAGES = ("Haraka@3", "haraka-plugin-spf@1", "haraka-plugin-dkim@1")
CONFIG = {
    "me": "mx.example.org",
    "host_list": "example.org",
    "plugins": "spf\nrcpt_to.in_host_list\ndkim\nqueue/smtp_forward",
    "smtp.ini": "listen=127.0.0.1:{port}\nnodes={workers}",
    "smtp_forward.ini": "host=127.0.0.1\nport={next_hop}",
    "dkim.ini": "[verify]\nenabled=true\n[sign]\nenabled=false",
    "loglevel": "LOGNOTICE",
}


def install() -> None:
    """Raises CalledProcessError, OSError."""
    if not (HOME / "node_modules" / "Haraka").exists():
        HOME.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", HOME, *PACKAGES], check=True
        )


@contextlib.contextmanager
def run(place: Place) -> Iterator[Running]:
    program, home, port = HOME / "node_modules" / "Haraka" / "bin" / "haraka", place.directory / "home", free_port()
    subprocess.run(["node", program, "-i", home], check=True, capture_output=True)
    for name, text in CONFIG.items():
        filled = text.format(port=port, workers=place.workers, next_hop=place.next_hop)
        (home / "config" / name).write_text(filled + "\n")
    with daemon(place.directory, "haraka", ["node", str(program), "-c", str(home)], listening(port)) as pid:
        yield Running(port, (pid,))


HARAKA = Peer("Haraka", run)
