"""mailward rules stats: what each rule hits and how right it is, and what thresholds would do, over the journal or over
directories of known mail."""

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.options import WRONG

if TYPE_CHECKING:
    from gateway.cli.rules.statscount import Counted
    from gateway.tuning.picture import Panel
    from gateway.tuning.statistics import Statistics

PAGE, IMAGE = ".html", ".png"  # how the names of pictures end

NO_MATPLOTLIB = "--picture needs matplotlib: pip install 'mailward[pictures]'"


def stats(options: argparse.Namespace) -> int:
    """Exit status 0, or 2 after an error."""
    if options.picture and not _can_draw():
        return _wrong(NO_MATPLOTLIB)
    of_directories = options.ham or options.spam
    if of_directories and (options.since is not None or options.until is not None):
        return _wrong("--since and --until are about the journal, not about --ham and --spam")
    from gateway.cli.rules.statscount import over_directories, over_journal
    from gateway.tuning.statistics import statistics

    counted = over_directories(options) if of_directories else over_journal(options)
    if counted is None:
        return WRONG
    found = statistics(counted.tally, counted.profiles.all)
    _print(options, found, counted)
    return _draw(options.picture, found, counted) if options.picture else 0


def picture_path(text: str) -> Path:
    """Raises argparse.ArgumentTypeError."""
    path = Path(text)
    if path.suffix not in (PAGE, IMAGE):
        raise argparse.ArgumentTypeError(f"{text} ends neither with {PAGE} nor with {IMAGE}")
    return path


def _print(options: argparse.Namespace, found: "Statistics", counted: "Counted") -> None:
    from gateway.cli.rules.statsreport import report
    from gateway.cli.rules.statsrows import show

    if options.json:
        print(json.dumps({"versions": counted.profiles.digests, **counted.remarks, **report(found)}, indent=2))
    else:
        show(found, counted.profiles.digests, counted.remarks)


def _can_draw() -> bool:
    return find_spec("matplotlib") is not None


def _draw(path: Path, found: "Statistics", counted: "Counted") -> int:
    from gateway.tuning.picture import LIGHT, Format, draw, panels

    drawn = panels(found)
    if not drawn:
        return _wrong("no message has a score: there is nothing to draw")
    try:
        path.write_bytes(draw(drawn, LIGHT, Format.PNG) if path.suffix == IMAGE else _page(drawn, found, counted))
    except OSError as error:
        return _wrong(f"{path}: {error.strerror}")
    return 0


def _page(panels: "Sequence[Panel]", found: "Statistics", counted: "Counted") -> bytes:
    from gateway.tuning.page import page
    from gateway.tuning.picture import DARK, LIGHT, Format, draw
    from gateway.tuning.words import said

    schemes = {"light": LIGHT, "dark": DARK}
    pictures = {
        scheme: [draw([panel], palette, Format.SVG).decode() for panel in panels] for scheme, palette in schemes.items()
    }
    lines = said(found, counted.profiles.digests, counted.remarks)
    return page("Scores and thresholds", lines, found, pictures).encode()


def _wrong(text: str) -> int:
    print(f"mailward rules stats: {text}", file=sys.stderr)
    return WRONG
