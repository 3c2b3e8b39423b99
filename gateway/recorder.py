"""Recorder: turns the stages of a journey into its record. Pure; the log and the metrics make use of it."""

from collections.abc import Mapping
from typing import Any

from gateway.checks.base import Subject
from gateway.checks.iprev import confirmed_name
from gateway.checks.run import NO_ANSWERS, Answers
from gateway.connection import Connection
from gateway.delivery.outcome import Outcome
from gateway.envelope import Envelope
from gateway.facts import Facts
from gateway.policy.verdict import Mode, Verdict
from gateway.record import Event, Record
from gateway.reply import Reply

_RESULT = ".result"  # ends the name of the fact that says what a check found


def message_record(
    subject: Subject,
    answers: Answers,
    facts: Facts,
    verdict: Verdict,
    outcome: Outcome,
    *,
    steps: Mapping[str, float],
    **known: Any,
) -> Record:
    """The record of a message that was answered. `steps` are milliseconds; `known` goes into the record as it is."""
    scored = facts.get("spam.result") == "scored"
    message = subject.message
    message_ids = message.named("message-id") if message else ()
    return Record(
        event=Event.MESSAGE,
        stage="delivered" if outcome.next_hop else "judged",
        author=str(facts.get("author.address", "")),
        subject=str(facts.get("subject", "")),
        message_id=message_ids[0].text if message_ids else "",
        size=message.size if message else 0,
        results={name.removesuffix(_RESULT): str(word) for name, word in facts.items() if name.endswith(_RESULT)},
        score=_number(facts, "spam.score") if scored else None,
        required=_number(facts, "spam.required") if scored else None,
        symbols=_strings(facts, "spam.symbols"),
        truncated=facts.get("spam.truncated") is True,
        total=verdict.total,
        reply=str(outcome.reply),
        next_hop=outcome.next_hop,
        answer=outcome.answer,
        queue_id=outcome.queue_id,
        milliseconds={**answers.milliseconds, **steps},
        **_client(subject.connection, answers),
        **_envelope(subject.envelope, [str(recipient.address) for recipient in subject.envelope.recipients]),
        **_decision(verdict),
        **known,
    )


def refusal_record(connection: Connection, envelope: Envelope, reply: Reply, verdict: Verdict, **known: Any) -> Record:
    """The record of a recipient, the last one of `envelope`, that was refused. It has an action only where a
    rule refused it."""
    refused = [str(recipient.address) for recipient in envelope.recipients[-1:]]
    return Record(
        event=Event.REFUSED,
        stage="rcpt",
        reply=str(reply),
        **_client(connection, NO_ANSWERS),
        **_envelope(envelope, refused),
        **_decision(verdict) | ({} if verdict.action.refuses else {"action": ""}),
        **known,
    )


def unread_record(event: Event, connection: Connection, envelope: Envelope, reply: Reply, **known: Any) -> Record:
    """The record of a message without an examination: refused while it was collected, or we have failed on it."""
    return Record(
        event=event,
        stage="data",
        reply=str(reply),
        **_client(connection, NO_ANSWERS),
        **_envelope(envelope, [str(recipient.address) for recipient in envelope.recipients]),
        **known,
    )


def lost_record(connection: Connection, envelope: Envelope, **known: Any) -> Record:
    """The record of a transaction whose message never came."""
    return Record(
        event=Event.LOST,
        stage="data",
        **_client(connection, NO_ANSWERS),
        **_envelope(envelope, [str(recipient.address) for recipient in envelope.recipients]),
        **known,
    )


def _client(connection: Connection, answers: Answers) -> dict[str, Any]:
    tls = connection.tls
    return {
        "connection": connection.id,
        "client_ip": str(connection.ip),
        "client_port": connection.port,
        "client_name": confirmed_name(answers.results),
        "client_role": connection.role.value,
        "helo": connection.helo,
        "tls": f"{tls.version} {tls.cipher}" if tls else "",
    }


def _envelope(envelope: Envelope, recipients: list[str]) -> dict[str, Any]:
    return {"id": envelope.id, "sender": envelope.reverse_path, "recipients": tuple(recipients)}


def _decision(verdict: Verdict) -> dict[str, Any]:
    return {
        "action": verdict.action.value,
        "rules": tuple(hit.rule for hit in verdict.hits if hit.mode is Mode.ENFORCE),
        "shadow": tuple(hit.rule for hit in verdict.hits if hit.mode is Mode.SHADOW),
    }


def _number(facts: Facts, name: str) -> float:
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _strings(facts: Facts, name: str) -> tuple[str, ...]:
    value = facts.get(name)
    return value if isinstance(value, tuple) else ()
