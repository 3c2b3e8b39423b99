"""kill -9 under a load of thousands of letters.

    python -m tests.bench.kills [--letters 10000] [--seed N] [worker supervisor gateway downstream]

Says for each victim what the clients were told and what the server has, and ends with status 1 where anything was
lost, came twice on our account, or could come twice though its client was told what became of it.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tests.support.gateway import dns_process, running_gateway
from tests.support.kills import Report, Trial, Victim
from tests.support.sink import counting_sink

PAUSE = 0.005  # seconds between the server's note and its 250
LETTERS_PER_KILL = {Victim.WORKER: 400, Victim.SUPERVISOR: 1000, Victim.GATEWAY: 1000, Victim.DOWNSTREAM: 250}


def tried(victim: Victim, *, letters: int, seed: int) -> Report:
    with tempfile.TemporaryDirectory(prefix="mailward-kill-") as name:
        root = Path(name)
        with dns_process(root / "dns", "") as dns, counting_sink(root, pause=PAUSE) as sink:
            more = f'[route.default]\nhosts = ["{sink.endpoint}"]\nretry_dead = 0\n'
            with running_gateway(root / "gateway", dns=dns, more=more, workers=2) as gateway:
                kills = max(letters // LETTERS_PER_KILL[victim], 1)
                return Trial(gateway, sink, Random(seed)).run(victim, letters=letters, kills=kills)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("victims", nargs="*", type=Victim, default=list(Victim), metavar="VICTIM")
    parser.add_argument("--letters", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=Random().randrange(2**32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    faults = False
    for victim in arguments.victims:
        started = time.monotonic()
        report = tried(victim, letters=arguments.letters, seed=arguments.seed)
        print(f"{report} ({time.monotonic() - started:.0f} s)", flush=True)
        for fault, names in report.faults().items():
            faults = True
            print(f"  {fault}: {', '.join(sorted(names)[:20])}", flush=True)
    return int(faults)


if __name__ == "__main__":
    sys.exit(main())
