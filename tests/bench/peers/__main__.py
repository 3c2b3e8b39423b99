"""The gateway beside its peers, on the same machine in the same minutes: sudo make bench-peers

    python -m tests.bench.peers [--rounds 3] [--seconds 4] [--connections 1,10,50,200] [--only NAME ...]

Installs Haraka, Postfix, rspamd and the milters from their packages where they are missing (apt, npm), starts all of
them in namespaces of their own on loopback, and brings each the same letters in turn. Needs root. Nothing in /etc is
changed, no service of the host is touched, and nothing is left running. The results go to var/bench.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench import machine, report
from tests.bench.corpus import make_corpus
from tests.bench.peers import haraka, isolation
from tests.bench.peers.beside import Stand, all_started, compared, loads
from tests.bench.peers.haraka import HARAKA
from tests.bench.peers.milters import OPEN_MILTERS, PYTHON_MILTERS
from tests.bench.peers.peer import Peer
from tests.bench.peers.postfix import POSTFIX
from tests.bench.peers.rspamd import RSPAMD
from tests.bench.series import Point, side_by_side
from tests.bench.traffic import BUILT, ROOT, program, sink

PEERS = (HARAKA, POSTFIX, RSPAMD, OPEN_MILTERS, PYTHON_MILTERS)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load")
    parser.add_argument("--connections", default="1,10,50,200", help="at once, with small letters")
    parser.add_argument("--only", nargs="+", choices=[peer.name for peer in PEERS], metavar="NAME", help="these peers")
    parser.add_argument("--into", type=Path, default=BUILT, metavar="DIRECTORY", help="for the JSON; var/bench")
    return parser.parse_args()


def install() -> None:
    """Raises CalledProcessError, OSError."""
    subprocess.run([ROOT / "deploy" / "install-needs.sh", "peers", ROOT / ".venv"], check=True, cwd=ROOT)
    haraka.install()
    for name in ("load", "sink"):
        program(name)


def measured(options: argparse.Namespace, peers: Sequence[Peer], root: Path) -> list[Point]:
    isolation.set_up(root)
    corpus = make_corpus(root / "corpus", isolation.FIRST)
    shapes = loads([int(count) for count in options.connections.split(",")], options.seconds)
    points = []
    with isolation.unbound(root, corpus) as dns, sink(root) as behind:
        stand = Stand(root=root, behind=behind, dns=dns, workers=len(os.sched_getaffinity(0)))
        with all_started(stand, peers) as systems:
            print(f"started: {'; '.join(system.name for system in systems)}", flush=True)
            for point in side_by_side(systems, shapes, corpus, behind, options.rounds):
                print(" | ".join(report.point_row(point)), flush=True)
                points.append(point)
    return points


def main() -> int:
    options = arguments()
    if os.geteuid() != 0:
        print("needs root, to install packages and for namespaces: sudo make bench-peers", file=sys.stderr)
        return 1
    if not isolation.is_inside():
        install()
        isolation.enter()
    facts = machine.facts()
    peers = [peer for peer in PEERS if not options.only or peer.name in options.only]
    with tempfile.TemporaryDirectory(prefix="mailward-peers-") as name:
        Path(name).chmod(0o755)
        points = measured(options, peers, Path(name))
    compares = list(compared(points))
    print("\n" + report.table(report.POINT_HEADS, [report.point_row(point) for point in points]))
    print("\n" + report.overview(points))
    print("\n" + report.table(report.HEADS, [report.row(one) for one in compares]))
    found = report.Report(machine=facts, measured=compares, points=points)
    print(f"\n{report.write(found, options.into, 'peers')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
