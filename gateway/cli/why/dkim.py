"""Why DKIM found what it found: of each signature who signed, the key, and what was signed when."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from gateway.cli.why.line import Line, Report, with_reason
from gateway.facts import Facts

LAST_TIME = 253_402_300_799  # Unix time; the years after it have five digits


def headline(report: Sequence[Report], facts: Facts) -> str:
    count = facts["dkim.count"]
    if not report:
        return ""
    signatures = "1 signature" if count == 1 else f"{count} signatures"
    return signatures if count == len(report) else f"{signatures}, {len(report)} of them evaluated"


def lines(report: Sequence[Report]) -> Iterator[Line]:
    for one in report:
        tags = (("d", one["domain"]), ("s", one["selector"]), ("i", one["identity"]), ("a", one["algorithm"]))
        yield Line(one["result"], with_reason(" ".join(f"{tag}={value}" for tag, value in tags if value), one))
        yield from made_lines(one)
        if times := _times(one):
            yield Line("times", times)


def made_lines(one: Report) -> Iterator[Line]:
    """By which key a signature was made, and what it signs."""
    if one["key"]["name"]:
        yield Line("key", _key(one["key"]))
    if one["covers"]:
        yield from _cover_lines(one["covers"], one["failure"])


def _key(key: Report) -> str:
    where = f"at {key['name']}"
    if key["type"]:
        notes = {"y": "testing (t=y)", "s": "for no subdomain in i= (t=s)"}
        kind = (key["type"], f"{key['bits']} bits", *(notes[flag] for flag in key["flags"]))
        return f"{', '.join(kind)}, {where}"
    if key["record"]:
        return f'unusable {where}: "{key["record"]}"'
    if key["dns"] in ("servfail", "timeout"):
        return f"not known {where} ({key['dns']})"
    return f"none {where} ({key['dns']})" if key["dns"] else f"not looked up {where}"


def _cover_lines(covers: Report, failure: str) -> Iterator[Line]:
    fields, absent = covers["fields"], covers["absent"]
    without = [f"no further {name}" if name in fields else f"no {name}" for name in absent]
    header, _, body = covers["canonicalization"].partition("/")
    more = covers["fields_count"] + covers["absent_count"] - len(fields) - len(absent)
    listed = ", ".join([*fields, *without]) + (f" and {more} more" if more else "")
    yield Line("signs", f"{listed} ({header})")
    yield Line("body", f"{_extent(covers)} ({body})")
    if failure == "body-changed" and covers["body_hash"]:
        yield Line("", f"bh= is {covers['body_hash_signed']}, the body has {covers['body_hash']}")


def _extent(covers: Report) -> str:
    octets, length = covers["body_octets"], covers["length"]
    if length is None:
        return "the whole" if octets is None else f"the whole, {octets} octets"
    if octets is None:
        return f"the first {length} octets (l=)"
    unsigned = f", {octets - length} are not signed" if octets > length else ""
    return f"the first {length} of {octets} octets (l=){unsigned}"


def _times(one: Report) -> str:
    now = one["judged_at"]
    stated = (("made", one["signed"]), ("valid until", one["expires"]))
    return ", ".join(f"{what} {_date(when)} ({_distance(when - now)})" for what, when in stated if when is not None)


def _date(when: int) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M:%S} UTC" if when <= LAST_TIME else f"{when} s after 1970"


def _distance(seconds: int) -> str:
    """How far a time is from now, in the largest unit of which it has several."""
    amount = abs(seconds)
    unit, size = next((unit, size) for unit, size in _UNITS if amount >= 2 * size or size == 1)
    return f"in {amount // size} {unit}" if seconds > 0 else f"{amount // size} {unit} ago"


_UNITS = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
