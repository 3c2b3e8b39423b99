"""What the verdict on a chain rests on: kept as it is, and turned into a report only where somebody asks. Pure."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from gateway.checks.arc.chain import Evidence, Judgement
from gateway.checks.arc.sets import ArcSet
from gateway.checks.dkim.signature import Signature
from gateway.checks.dkim.signatureresult import describe_cover, describe_key
from gateway.checks.dkim.status import Status
from gateway.checks.dkim.verify import Tried
from gateway.printable import printable

MAX_SHOWN = 400  # characters of what a sealer found that are shown


class Grounds(Struct, frozen=True):
    """What the chain was judged by, and what became of its sets."""

    evidence: Evidence
    judgement: Judgement

    def report(self) -> list[dict[str, Any]]:
        return [self._set(position, one) for position, one in enumerate(self.evidence.sets)]

    def _set(self, position: int, one: ArcSet) -> dict[str, Any]:
        from_newest = len(self.evidence.sets) - 1 - position
        tried = _at(self.judgement.messages, from_newest)
        return {
            "instance": position + 1,
            "sealer": one.seal.domain,
            "selector": one.seal.selector,
            "chain": one.chain.decode("ascii"),
            "seal": _verification(_at(self.judgement.seals, position)),
            "signer": one.signature.seal.domain,
            "signature": {**_verification(tried), **self._message_signature(one.signature, tried)},
            "found": printable(one.results.text, MAX_SHOWN),
        }

    def _message_signature(self, signature: Signature, tried: Tried | None) -> dict[str, Any]:
        """As of a DKIM signature. The key is not told where it was not used."""
        answer = self.evidence.answers[signature.seal.key_name] if tried else None
        body = self.evidence.bodies.get(signature.body)
        problem = tried.problem if tried else None
        return {
            "failure": problem.failure.value if problem else "",
            "key": describe_key(signature, answer, tried.key if tried else None),
            "covers": describe_cover(signature, self.evidence.header, body),
        }


def _at(verified: Sequence[Tried], position: int) -> Tried | None:
    """None where nothing was verified, because nothing hung on it."""
    return verified[position] if position < len(verified) else None


def _verification(tried: Tried | None) -> dict[str, str]:
    if tried is None:
        return {"result": "", "reason": ""}
    if tried.problem is None:
        return {"result": Status.PASS.value, "reason": ""}
    return {"result": tried.problem.status.value, "reason": tried.problem.reason}
