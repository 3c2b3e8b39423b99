"""Recorder: turns the stages of a journey into its record, for the log, the metrics and the journal. Pure."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from gateway.checks.base import Subject
from gateway.checks.dnslists.result import CHECKS
from gateway.checks.iprev import confirmed_name
from gateway.checks.run import Answers
from gateway.checks.spamresult import spared, waits
from gateway.connection import Connection
from gateway.delivery.outcome import Outcome
from gateway.envelope import Envelope
from gateway.facts import Facts, Stage
from gateway.journal.dmarc import evidence
from gateway.policy.override import override
from gateway.policy.verdict import Mode, Verdict
from gateway.record import Basis, Event, Record
from gateway.reply import Reply


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
        score=_number(facts, "spam.score") if scored else None,
        required=_number(facts, "spam.required") if scored else None,
        symbols=_strings(facts, "spam.symbols"),
        truncated=facts.get("spam.truncated") is True,
        dmarc_override=override(facts, verdict) or "",
        total=verdict.total,
        reply=str(outcome.reply),
        next_hop=outcome.next_hop,
        answer=outcome.answer,
        queue_id=outcome.queue_id,
        spamd_spared=spared(answers.results),
        milliseconds={**answers.milliseconds, **waits(answers.results), **steps},
        basis=Basis(facts=facts, settled=_settled(facts), dmarc=evidence(answers.results)),
        **_common(subject.connection, subject.envelope, answers, facts),
        **_decision(verdict),
        **known,
    )


def refusal_record(
    connection: Connection, envelope: Envelope, answers: Answers, reply: Reply, verdict: Verdict, **known: Any
) -> Record:
    """The record of a recipient, the last one of `envelope`, that was refused. It has an action only where a
    rule refused it."""
    refused = replace(envelope, recipients=envelope.recipients[-1:])
    return Record(
        event=Event.REFUSED,
        stage="rcpt",
        reply=str(reply),
        milliseconds=answers.milliseconds,
        **_common(connection, refused, answers, answers.facts()),
        **_decision(verdict) | ({} if verdict.action.refuses else {"action": ""}),
        **known,
    )


def unread_record(
    event: Event, connection: Connection, envelope: Envelope, answers: Answers, reply: Reply, **known: Any
) -> Record:
    """The record of a message without an examination: refused while it was collected, or we have failed on it."""
    return Record(
        event=event,
        stage="data",
        reply=str(reply),
        **_common(connection, envelope, answers, answers.facts()),
        **known,
    )


def lost_record(connection: Connection, envelope: Envelope, answers: Answers, **known: Any) -> Record:
    """The record of a transaction whose message never came."""
    return Record(
        event=Event.LOST,
        stage="data",
        **_common(connection, envelope, answers, answers.facts()),
        **known,
    )


def _common(connection: Connection, envelope: Envelope, answers: Answers, facts: Facts) -> dict[str, Any]:
    """What every record says: who brought it, in which envelope, what the checks found, in a word each, and what
    the DNS lists said."""
    results, tls = answers.results, connection.tls
    known: dict[str, Any] = {
        "id": envelope.id,
        "sender": envelope.reverse_path,
        "recipients": tuple([str(recipient.address) for recipient in envelope.recipients]),
        "connection": connection.id,
        "client_ip": str(connection.ip),
        "client_port": connection.port,
        "client_name": confirmed_name(results),
        "client_role": str(connection.role),
        "via": str(connection.via or ""),
        "helo": connection.helo,
        "tls": f"{tls.version} {tls.cipher}" if tls else "",
        "results": {check: str(word) for check in results if (word := facts.get(f"{check}.result"))},
    }
    if lists := [check for check in CHECKS if check in results]:
        known["listings"] = tuple([word for check in lists for word in _strings(facts, f"{check}.listings")])
        known["failed_lists"] = tuple([name for check in lists for name in _strings(facts, f"{check}.failed")])
    return known


def _decision(verdict: Verdict) -> dict[str, Any]:
    return {
        "action": str(verdict.action),
        "rules": verdict.enforced,
        "shadow": tuple([hit.rule for hit in verdict.hits if hit.mode is Mode.SHADOW]),
        "unscanned_by": verdict.unscanned_by,
    }


def _settled(facts: Facts) -> Stage:
    """The stage up to which all was found out that there was to be found out about a message that is here."""
    if "spam.result" in facts:
        return Stage.SCORED
    return Stage.AUTHENTICATED if "dmarc.result" in facts else Stage.RCPT


def candidate_noted(verdict: Verdict | None) -> dict[str, Any]:
    """What a record says of the candidate rules, where there are some."""
    if verdict is None:
        return {}
    return {"candidate_action": verdict.action.value, "candidate_rules": verdict.enforced}


def _number(facts: Facts, name: str) -> float:
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _strings(facts: Facts, name: str) -> tuple[str, ...]:
    value = facts.get(name)
    return value if isinstance(value, tuple) else ()
