"""Why ARC found what it found: of each set who sealed, what became of it, and what its signature of the message covers;
and whether somebody vouches."""

from collections.abc import Iterator

from gateway.cli.why.dkim import made_lines
from gateway.cli.why.line import Line, Report, with_reason
from gateway.facts import Facts


def headline(report: Report, _: Facts) -> str:
    length = report["chain_length"]
    return with_reason(("1 set" if length == 1 else f"{length} sets") if length else "", report)


def lines(report: Report) -> Iterator[Line]:
    for one in report["sets"]:
        seal, signature = _verification(one["seal"]), _verification(one["signature"])
        who = f"{one['sealer']} (s={one['selector']}) cv={one['chain']}"
        yield Line(f"i={one['instance']}", f"{who}; seal {seal}; message signature {signature}")
        yield Line("found", one["found"])
        if one["signature"]["result"]:
            yield from made_lines(one["signature"])
    if report["sets"]:
        answer = "yes" if report["trusted"] else "no"
        yield Line("trusted", f"{answer}: {_TRUST[report['trust']].format(report['trust_about'])}")


def _verification(one: Report) -> str:
    return with_reason(one["result"] or "not verified", one)


_TRUST = {
    "vouched": "{} found that the author's domain passes DMARC",
    "no-chain": "the chain does not pass",
    "no-author": "the message has not one author domain",
    "not-covered": "the newest message signature leaves out a From field or a part of the body",
    "stranger": "{} is not among trusted_sealers",
    "no-pass": "no sealer found that the author's domain passes DMARC",
}
