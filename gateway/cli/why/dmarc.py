"""Why DMARC found what it found: the walk, the record and the tag of it that counts, and how each identifier is
aligned."""

from collections.abc import Iterator

from gateway.cli.why.line import Line, Report, with_reason
from gateway.facts import Facts


def headline(report: Report, _: Facts) -> str:
    asks = f"{report['from_domain']} asks for {report['policy']}" if report["policy"] else report["from_domain"]
    return with_reason(f"{asks} (testing)" if report["testing"] else asks, report)


def lines(report: Report) -> Iterator[Line]:
    for position, step in enumerate(report["walk"]):
        yield Line("" if position else "walk", f"{step['name']}: {_found(step)}")
    if record := report["record"]:
        yield Line("record", _record(record))
        yield Line("decided by", _decision(record))
    if report["organizational_domain"]:
        yield Line("domain", f"{report['organizational_domain']} is the organizational domain")
    for one in report["identifiers"]:
        yield Line(one["mechanism"], _alignment(one))


def _found(step: Report) -> str:
    return _FOUND[step["found"]].format(**step)


_FOUND = {
    "record": "{text}",
    "none": "none ({dns})",
    "other": 'no policy record, but "{text}"',
    "several": "more than one policy record, which counts as none",
    "failed": "could not be looked up ({dns})",
}


def _record(record: Report) -> str:
    tags = " ".join(f"{tag}={record[tag] or '?'}" for tag in ("p", "sp", "np", "adkim", "aspf", "t", "psd"))
    return f"of {record['domain']}, as it is used: {tags}"


def _decision(record: Report) -> str:
    tag, stated = record["decided_by"], record["stated_by"]
    value = f"{tag}={record[tag] or '?'}"
    if not stated:
        return f"{value}, since the record has no valid p"
    return value if tag == stated else f"{value}, for which {stated} stands"


def _alignment(one: Report) -> str:
    domain, word = one["domain"] or "?", one["result"]
    return f"{domain} {word}, {_RELATIONS[one['relation']].format(mode=one['mode'])}"


_RELATIONS = {
    "identical": "aligned: it is the author domain",
    "same-organization": "aligned ({mode}): of the same organizational domain",
    "not-identical": "not aligned ({mode}): it is not the author domain itself",
    "other-organization": "not aligned ({mode}): of another organizational domain",
    "unknown": "alignment not known: a lookup failed for now",
    "likely": "most likely aligned ({mode}): nothing was looked up, since it does not pass",
    "not-asked": "alignment not known ({mode}): nothing was looked up, since it does not pass",
}
