"""Several author domains: turns the result for each domain that the From field could mean into the one for the message
(RFC 9989 section 11.5). Pure.

Such a message never passes: nobody can say which domain its reader is shown. But neither does it escape the policy of a
domain that it uses without right.
"""

from collections.abc import Sequence
from dataclasses import replace

from gateway.checks.dmarc.record import Policy
from gateway.checks.dmarc.result import DmarcResult, Status

_STRICTEST_FIRST = (Policy.REJECT, Policy.QUARANTINE, Policy.NONE, None)
_COUNTING = (Status.FAIL, Status.TEMPERROR)  # in the order in which they count at the same policy


def strictest(results: Sequence[DmarcResult], problem: str) -> DmarcResult:
    """The result with the strictest policy among those that fail, or could fail; permerror where there is none.
    `problem` says why there is not one author domain."""
    counting = [result for result in results if result.result in _COUNTING]
    if not counting:
        return DmarcResult(Status.PERMERROR, reason=problem)
    worst = min(counting, key=_rank)
    return replace(worst, aligned=(), reason=f"{problem}, and {worst.reason}")


def _rank(result: DmarcResult) -> tuple[int, int]:
    return _STRICTEST_FIRST.index(result.policy), _COUNTING.index(result.result)
