"""SPF trace: turns the result of SPF into what the Received-SPF field says of it (RFC 7208 section 9.1). Pure."""

from collections.abc import Mapping

from gateway.authres.receivedspf import ReceivedSpf
from gateway.checks.base import Result
from gateway.checks.iprev import bare_address
from gateway.checks.spf.result import Finding, SpfResult, SpfWord
from gateway.connection import Connection
from gateway.envelope import Envelope

DEFAULT = "default"  # in place of a mechanism, where none matched


def trace(
    results: Mapping[str, Result], connection: Connection, envelope: Envelope, *, receiver: str
) -> ReceivedSpf | None:
    """What is to be said of the SPF result among those of all checks; None where nothing was checked."""
    result = results.get("spf")
    if not isinstance(result, SpfResult) or result.skipped:
        return None
    return ReceivedSpf(
        result=result.result.value,
        identity=result.identity.value,
        client_ip=str(bare_address(connection.ip)),
        envelope_from=envelope.reverse_path,
        helo=connection.helo,
        mechanism=_mechanism(result.finding),
        problem=result.finding.problem,
        receiver=receiver,
    )


def _mechanism(finding: Finding) -> str:
    return finding.directive or (DEFAULT if finding.result is SpfWord.NEUTRAL else "")
