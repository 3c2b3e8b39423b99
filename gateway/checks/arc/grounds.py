"""What the verdict on a chain rests on: kept as it is, and turned into a report only where somebody asks. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.checks.arc.chain import Judgement
from gateway.checks.arc.sets import ArcSet
from gateway.checks.dkim.status import SignatureError, Status

MAX_SHOWN = 400  # characters of what a sealer found that are shown

_unprintable_re = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True, slots=True)
class Grounds:
    """The sets, from the first to the newest, and what became of them."""

    sets: Sequence[ArcSet]
    judgement: Judgement

    def report(self) -> list[dict[str, Any]]:
        return [self._set(position, one) for position, one in enumerate(self.sets)]

    def _set(self, position: int, one: ArcSet) -> dict[str, Any]:
        from_newest = len(self.sets) - 1 - position
        return {
            "instance": position + 1,
            "sealer": one.seal.domain,
            "selector": one.seal.selector,
            "chain": one.chain.decode("ascii"),
            "seal": _verification(self.judgement.seals, position),
            "signer": one.signature.seal.domain,
            "signature": _verification(self.judgement.messages, from_newest),
            "found": _shown(one.results.text),
        }


def _verification(problems: Sequence[SignatureError | None], position: int) -> dict[str, str]:
    """No word where nothing was verified, because nothing hung on it."""
    if position >= len(problems):
        return {"result": "", "reason": ""}
    problem = problems[position]
    if problem is None:
        return {"result": Status.PASS.value, "reason": ""}
    return {"result": problem.status.value, "reason": problem.reason}


def _shown(text: str) -> str:
    return _unprintable_re.sub("?", text[:MAX_SHOWN])
