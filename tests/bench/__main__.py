"""Our own benchmarks, in one table: python -m tests.bench [--quick] [NAME ...]

Without a name all but `hostile` are run. A time is CPU time where nothing else is said. What is compared alternates,
round after round. The results go to var/bench too, as JSON.
"""

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from gateway.system import descriptors
from tests.bench import machine, report
from tests.bench.measured import Measured
from tests.bench.timing import FULL, QUICK, Effort
from tests.bench.traffic import BUILT

NAMES = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
LONG = {"hostile"}  # a table of its own


def measured(names: list[str], effort: Effort) -> Iterator[Measured]:
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        yield from import_module(f"tests.bench.bench_{name}").measure(effort)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="a tenth of it, to see that it works")
    parser.add_argument("--into", type=Path, default=BUILT, metavar="DIRECTORY", help="for the JSON; var/bench")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    descriptors.raise_limit()
    facts = machine.facts()
    names = options.names or [name for name in NAMES if name not in LONG]
    found = list(measured(names, QUICK if options.quick else FULL))
    for fact, value in facts.items():
        print(f"{fact}: {value}")
    print("\n" + report.table(report.HEADS, [report.row(one) for one in found]))
    print(f"\n{report.write(report.Report(machine=facts, measured=found), options.into, 'ours')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
