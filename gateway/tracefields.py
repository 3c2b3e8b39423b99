"""Trace fields: what the checks found about a message to the fields that we put on top of it, in their order (RFC 8601,
RFC 7208 section 9.1, RFC 5321 section 4.4), and to the ARC set above them (RFC 8617)."""

from gateway.authres.field import AuthenticationResults, build
from gateway.authres.received import received_field
from gateway.authres.receivedspf import build_received_spf
from gateway.checks.base import Subject
from gateway.checks.iprev import confirmed_name
from gateway.checks.run import Answers
from gateway.checks.spf import trace
from gateway.connection import Role
from gateway.message import Stamped
from gateway.parts import Parts


def trace_fields(parts: Parts, subject: Subject, answers: Answers) -> tuple[bytes, ...]:
    """Our Authentication-Results field and, below it, our Received field; Received-SPF stands between them."""
    received = received_field(
        subject.connection,
        subject.envelope,
        hostname=parts.hostname,
        client_name=confirmed_name(answers.results),
        now=parts.clock(),
        ident=subject.envelope.id,
    )
    spf = received_spf(parts, subject, answers) if parts.received_spf else ()
    return build(findings(parts, answers)), *spf, received


def findings(parts: Parts, answers: Answers) -> AuthenticationResults:
    """What all checks found, in our name."""
    results = [part for result in answers.results.values() for part in result.authres()]
    return AuthenticationResults(parts.identity, tuple(results))


def received_spf(parts: Parts, subject: Subject, answers: Answers) -> tuple[bytes, ...]:
    """The field that says what SPF found (RFC 7208 section 9.1), if SPF was checked."""
    stated = trace(answers.results, subject.connection, subject.envelope, receiver=parts.identity)
    return (build_received_spf(stated),) if stated else ()


async def seal(parts: Parts, subject: Subject, answers: Answers, stamped: Stamped) -> Stamped:
    """The message under an ARC set of ours, if we are to seal (RFC 8617). Clients in our own networks, and relay
    partners, are not asked everything, so that nothing is sealed of what they bring."""
    if parts.sealer is None or subject.connection.role is not Role.STRANGER:
        return stamped
    return await parts.sealer.seal(stamped, findings(parts, answers), answers.results.get("arc"))
