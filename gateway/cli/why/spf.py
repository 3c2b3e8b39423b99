"""Why SPF found what it found: of each identity the way to the term that decided, and what it has cost."""

from collections.abc import Iterator
from itertools import zip_longest

from gateway.checks.spf.result import MAX_LOOKUPS, MAX_VOID_LOOKUPS
from gateway.cli.why.line import Line, Report
from gateway.facts import Facts


def headline(report: Report, _: Facts) -> str:
    if not report["checked"]:
        return str(report["reason"])
    return f"{report['identity']} {report['domain'] or 'without a domain name'}"


def lines(report: Report) -> Iterator[Line]:
    for one in report["checked"]:
        yield Line(one["identity"], f"{one['result']}: {_way(one)}")
        if one["trail"] or one["lookups"]:
            spent = f"{one['lookups']} of {MAX_LOOKUPS} lookups"
            yield Line("", f"{spent}, {one['void_lookups']} of {MAX_VOID_LOOKUPS} without an answer")


def _way(one: Report) -> str:
    """example.org -> include:_spf.example.net -> ip4:192.0.2.0/24"""
    domain, trail = one["domain"], one["trail"]
    if one["result"] == "none":
        name = f'"{domain}" is no name' if domain else "it is not of a domain name"
        return f"{domain} has no SPF record" if "." in domain else f"{name} that could have a record"
    way = [domain, *(_term(step, following) for step, following in zip_longest(trail, trail[1:]))]
    if not (one["mechanism"] or one["reason"]):
        way.append("no term matched")
    return " -> ".join(filter(None, way)) + (f": {one['reason']}" if one["reason"] else "")


def _term(step: Report, following: Report | None) -> str:
    """A term, with the domain that it led to where macros hide it."""
    term = str(step["term"])
    if following is None or following["domain"].lower() in term.lower():
        return term
    return f"{term} ({following['domain']})"
