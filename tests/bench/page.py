"""Puts what was measured into docs/performance.md, and draws docs/performance.svg.

    python -m tests.bench.page var/bench/ours-TIME.json var/bench/peers-TIME.json

The page has places for it, each between two comments.
"""

import re
import sys
from pathlib import Path

from tests.bench import picture, report
from tests.bench.report import Report
from tests.bench.traffic import ROOT

PAGE, PICTURE = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance.svg"

_place_re = re.compile(r"(<!-- measured: (goals|peers) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def filled(page: str, ours: Report, peers: Report) -> str:
    """The page with what has a goal, and with the peers' overview."""
    goals = [report.row(one) for one in (*peers.measured, *ours.measured) if one.goal]
    texts = {
        "goals": f"{report.table(report.HEADS, goals)}\n\n{_of(ours)}\n",
        "peers": f"{report.overview(peers.points)}\n\n{_of(peers)}\n",
    }
    return _place_re.sub(lambda place: place[1] + texts[place[2]], page)


def _of(found: Report) -> str:
    machine = found.machine
    return (
        f"Version {machine['version']}, {machine['date']}; {machine['processor']}, {machine['cores']} cores, "
        f"Python {machine['python']}; the machine's load before was {machine['load before']}."
    )


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    ours, peers = (report.read(Path(name)) for name in sys.argv[1:])
    PAGE.write_text(filled(PAGE.read_text(), ours, peers))
    picture.draw(peers.points, PICTURE)


if __name__ == "__main__":
    main()
