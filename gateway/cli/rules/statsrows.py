"""The report of mailward rules stats for people: tables of verdicts, rules and thresholds, and what else there is to
say."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.text import Text

from gateway.cli.console import make_console, shown
from gateway.cli.rows import Row, print_rows
from gateway.policy.verdict import Action, Mode
from gateway.tuning.curve import Point
from gateway.tuning.sighting import Known
from gateway.tuning.statistics import RuleStatistics, Statistics
from gateway.tuning.tally import UNDECIDABLE
from gateway.tuning.thresholds import Measure
from gateway.tuning.words import NONE, percent, said, thresholds_at

NAMED = 5  # false positives of a rule
OVERLAPS = 3  # rules that hit the same messages most; JSON has all

Cells = Sequence[str]


def show(found: Statistics, versions: Mapping[str, str], remarks: Mapping[str, int]) -> None:
    console = make_console()
    for each in said(found, versions, remarks):
        console.print(Text(each), soft_wrap=True)
    for table in (_verdicts(found), _rules(found), _curves(found)):
        if rows := list(table):
            console.print()
            print_rows(console, _aligned(rows))
    lines = list(_lines(found))
    if lines:
        console.print()
    for line in lines:
        console.print(line, soft_wrap=True)


def _verdicts(found: Statistics) -> Iterator[Cells]:
    tally = found.tally
    kinds = _kinds(found)
    yield ("verdict", "all", "share", *kinds, "")
    for action in (*Action, UNDECIDABLE):
        number = sum(tally.verdicts[known, action] for known in Known)
        if number:
            of_kinds = (f"{tally.verdicts[known, action]:,}" for known in kinds)
            yield (str(action), f"{number:,}", percent(number / tally.messages), *of_kinds, "")


def _rules(found: Statistics) -> Iterator[Cells]:
    """Those that hit something, or may have."""
    kinds = _kinds(found)
    quality = ("precision", "recall") if kinds else ()
    yield ("rule", "hits", "share", "decided", "alone", *kinds, *quality, "asks for; verdicts; overlap")
    for rule in found.rules:
        if rule.hits:
            tally = rule.counted
            numbers = (f"{rule.hits:,}", percent(rule.share), f"{tally.decided:,}", f"{tally.alone:,}")
            of_kinds = (f"{tally.hits[known]:,}" for known in kinds)
            yield (rule.id, *numbers, *of_kinds, *(_quality(rule) if kinds else ()), "; ".join(_more(rule)))


def _quality(rule: RuleStatistics) -> Cells:
    return (percent(rule.quality.precision), percent(rule.quality.recall)) if rule.quality else (NONE, NONE)


def _more(rule: RuleStatistics) -> Iterator[str]:
    yield f"{rule.asks_for}{' (shadow)' if rule.mode is Mode.SHADOW else ''}"
    yield ", ".join(f"{action} {number:,}" for action, number in rule.counted.verdicts.most_common())
    if rule.overlaps:
        yield ", ".join(f"{other.share:.0%} also hit {other.rule}" for other in rule.overlaps[:OVERLAPS])


def _curves(found: Statistics) -> Iterator[Cells]:
    """What each threshold hits, of both measures in one table."""
    kinds = _kinds(found)
    rows = list(zip(*(found.curves[measure] for measure in Measure), strict=True))
    if rows:
        yield ("", *(cell for measure in Measure for cell in (measure.value, *[""] * len(kinds))), "")
        yield ("threshold", *(("all", *kinds) * len(Measure)), "in force")
    for points in rows:
        threshold = points[0].threshold
        names = (
            f"{measure}: {names}"
            for measure in Measure
            if (names := thresholds_at(found.thresholds, measure, threshold))
        )
        yield (f"{threshold:g}", *(cell for point in points for cell in _shares(point, kinds)), "; ".join(names))


def _shares(point: Point, kinds: Iterable[Known]) -> Iterator[str]:
    yield percent(point.share)
    shares = {Known.HAM: point.ham_share, Known.SPAM: point.spam_share}
    yield from (percent(shares[known]) for known in kinds)


def _lines(found: Statistics) -> Iterator[Text]:
    for rule in found.rules:
        if rule.quality and rule.quality.false_positives:
            of = Known.SPAM if rule.aim is Known.HAM else Known.HAM
            names = ", ".join(rule.false_positives[:NAMED])
            yield shown(f"false positives: {rule.id} hit {rule.quality.false_positives:,} of {of}, such as {names}")
    for rule in found.rules:
        if unsure := rule.counted.undecided:
            facts, messages = ", ".join(sorted(rule.counted.unknown)), f"{unsure:,} message{'' if unsure == 1 else 's'}"
            yield shown(f"undecidable: {rule.id} reads {facts}, not known of {messages}, such as {rule.counted.first}")
    if never := [rule.id for rule in found.rules if not rule.hits and not rule.counted.undecided]:
        yield Text(f"never hit: {', '.join(never)}")


def _kinds(found: Statistics) -> tuple[Known, ...]:
    """The columns of what is known; none where nothing is."""
    return (Known.SPAM, Known.HAM) if found.has_known else ()


def _aligned(table: Sequence[Cells]) -> list[Row]:
    """Numbers stand to the right, below the words over them."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        (
            shown(first),
            *(shown(cell.rjust(width)) for cell, width in zip(middle, widths[1:-1], strict=True)),
            shown(last),
        )
        for first, *middle, last in table
    ]
