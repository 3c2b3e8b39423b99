"""The journey of a message, step by step. Start reading here.

    Connection → Envelope → Message → Results → Verdict → Delivery → Reply

`examine` is its middle, everything between the final dot and the delivery; `mailward check` calls it too.
`Journey` is one client's connection: the session calls it, and what it answers is what the client is told.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any

from gateway.author import find_author, message_facts
from gateway.authres.field import AuthenticationResults, build
from gateway.authres.marks import marks
from gateway.authres.received import loop_problem, received_field
from gateway.authres.stamp import for_scanners, stamp
from gateway.checks.base import Subject
from gateway.checks.iprev import confirmed_name
from gateway.checks.run import NO_ANSWERS, Answers, Wave, run_wave
from gateway.connection import Connection
from gateway.delivery.outcome import Outcome
from gateway.envelope import Envelope, Recipient
from gateway.facts import Facts, FactValue, Stage
from gateway.message import Content, HeaderTooLarge, Stamped, parse_message
from gateway.parts import Parts
from gateway.policy.decide import as_tag_only, decide
from gateway.policy.verdict import UNDECIDED, Action, Verdict
from gateway.realm import is_role_account
from gateway.record import Event
from gateway.recorder import lost_record, message_record, refusal_record, unread_record
from gateway.reply import Reply, reply
from gateway.system.spool import Spool
from gateway.transaction import Transaction
from gateway.visit import INTERNAL_ERROR, Visit

SENDER_OK = reply("250 2.1.0", "Sender ok")
RECIPIENT_OK = reply("250 2.1.5", "Recipient ok")
NO_RELAY = reply("550 5.7.1", "Relaying denied: this host takes no mail for that recipient")
NO_ROUTE = reply("451 4.3.5", "This host does not know where mail for that recipient goes")
SEPARATELY = reply("452 4.5.3", "Bring this recipient in a transaction of its own")
HEADER_TOO_LARGE = Verdict(Action.REJECT, reply("554 5.3.4", "The header section of the message is too large"))
LOOPING = Verdict(Action.REJECT, reply("554 5.4.6", "Mail loop: this message has passed through too many hosts"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message as it came: who brought it, in which envelope, and what was found before its content was there."""

    connection: Connection
    envelope: Envelope
    content: Content
    early: Answers  # of the waves "client" and "sender"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found about a message and what follows. There is no `stamped` where it was refused before that step."""

    subject: Subject
    answers: Answers
    facts: Facts
    verdict: Verdict
    stamped: Stamped | None = None


async def examine(parts: Parts, arrival: Arrival) -> Examination:
    """Check, judge, stamp, score and judge again. Nothing is handed on."""
    subject, answers = Subject(connection=arrival.connection, envelope=arrival.envelope), arrival.early
    try:
        message = parse_message(arrival.content, max_header=parts.limits.header_size)
    except HeaderTooLarge:
        return _refused_unread(subject, answers, HEADER_TOO_LARGE)
    subject = replace(subject, message=message, author=find_author(message))
    if loop_problem(message, parts.hostname, parts.limits.received, parts.limits.own_received):
        return _refused_unread(subject, answers, LOOPING)

    answers |= await ask(parts.waves.message, subject, answers)
    answers |= await ask(parts.waves.conclusion, subject, answers)
    facts = facts_of(subject, answers)
    verdict = judge(parts, facts, arrival.envelope, until=Stage.AUTHENTICATED)
    if verdict.action.refuses:
        return Examination(subject=subject, answers=answers, facts=facts, verdict=verdict)

    stamped = stamp(message, authserv_id=parts.identity, ours=trace_fields(parts, subject, answers))
    scored = await ask(parts.waves.scoring, replace(subject, copy=for_scanners(stamped)), answers)
    answers, facts = answers | scored, {**facts, **found_by(scored)}
    verdict = judge(parts, facts, arrival.envelope, until=Stage.SCORED)
    marked = stamped.topped_with(marks(verdict, facts))
    return Examination(subject=subject, answers=answers, facts=facts, verdict=verdict, stamped=marked)


def _refused_unread(subject: Subject, answers: Answers, verdict: Verdict) -> Examination:
    """No check has looked at the message, and no rule was asked."""
    return Examination(subject=subject, answers=answers, facts=facts_of(subject, answers), verdict=verdict)


class Journey(Visit):
    """One client's connection. Rules that refuse before RCPT are carried out there, where mail to postmaster and abuse,
    which is never refused, can be told apart (RFC 5321 section 4.5.1)."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._connection: Connection
        self._client_checks: asyncio.Task[Answers]
        self._transaction: Transaction | None = None

    async def connect(self, connection: Connection) -> Reply | None:
        self._connection = connection
        self._client_checks = self._ask_ahead(self._parts.waves.client, Envelope(id=connection.id, sender=None))
        return None

    async def helo(self, connection: Connection) -> Reply | None:
        self._connection = connection
        return None

    async def mail(self, envelope: Envelope) -> Reply:
        sender_checks = self._ask_ahead(self._parts.waves.sender, envelope)
        self._transaction = Transaction(envelope, began=self._parts.clock(), sender_checks=sender_checks)
        return SENDER_OK

    async def rcpt(self, recipient: Recipient) -> Reply:
        transaction = self._under_way()
        envelope = transaction.with_recipient(recipient)
        facts = facts_of(Subject(connection=self._connection, envelope=envelope), NO_ANSWERS)
        verdict = judge(self._parts, facts, envelope, until=Stage.RCPT)
        answer = await self._answer_to(transaction, recipient, verdict)
        if not answer.is_success:
            self._parts.record(refusal_record(self._connection, envelope, answer, verdict, **self._noted(transaction)))
            return answer
        transaction.envelope = envelope
        return RECIPIENT_OK

    async def message(self, spool: Spool) -> Reply:
        transaction = self._under_way()
        self._transaction = None
        started = time.perf_counter()
        try:
            early = await self._client_checks | await transaction.sender_checks
            arrival = Arrival(connection=self._connection, envelope=transaction.envelope, content=spool, early=early)
            examination = await examine(self._parts, arrival)
            examined = time.perf_counter()
            outcome = await self._carry_out(transaction, examination, spent=examined - started)
        except BaseException:  # the session answers 451 and logs it; here it is noted which message it was
            failed = {"action": Action.DEFER.value, "size": spool.size}
            self._record_unread(Event.MESSAGE, transaction, INTERNAL_ERROR, **failed)
            raise
        finally:
            await transaction.close()
        finished = time.perf_counter()
        steps = {"deliver": (finished - examined) * 1e3, "total": (finished - started) * 1e3}
        self._record(examination, outcome, steps, transaction)
        return outcome.reply

    async def refused(self, reply: Reply) -> None:
        transaction = self._under_way()
        self._transaction = None
        self._record_unread(Event.REFUSED, transaction, reply)
        await transaction.close()

    async def reset(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        if transaction.envelope.recipients:
            self._parts.record(lost_record(self._connection, transaction.envelope, **self._noted(transaction)))
        await transaction.close()

    async def _answer_to(self, transaction: Transaction, recipient: Recipient, verdict: Verdict) -> Reply:
        """Whether a recipient can be had: first what we ourselves say, then the next hop."""
        if not self._parts.realm.holds(recipient.address):
            return NO_RELAY
        hop = self._parts.routes.hop_for(recipient.address.domain)
        if hop is None:
            return NO_ROUTE
        if not transaction.suits(hop, recipient):
            return SEPARATELY
        if verdict.reply:
            return verdict.reply
        client_name = confirmed_name((await self._client_checks).results)
        delivery = await transaction.towards(hop, self._connection, client_name)
        return await delivery.recipient(recipient)

    async def _carry_out(self, transaction: Transaction, examination: Examination, *, spent: float) -> Outcome:
        verdict, stamped = examination.verdict, examination.stamped
        if verdict.reply or stamped is None:
            return Outcome(reply=verdict.reply or INTERNAL_ERROR)
        if verdict.action is Action.QUARANTINE and self._parts.quarantine:
            return await self._parts.quarantine.store(self._connection, transaction.envelope, stamped, verdict)
        assert transaction.delivery is not None, "a message was taken without an accepted recipient"
        return await transaction.delivery.send(transaction.envelope, stamped, spent=spent)

    def _record(
        self, examination: Examination, outcome: Outcome, steps: dict[str, float], transaction: Transaction
    ) -> None:
        record = message_record(
            examination.subject,
            examination.answers,
            examination.facts,
            examination.verdict,
            outcome,
            steps=steps,
            **self._noted(transaction),
        )
        self._parts.record(record)

    def _noted(self, transaction: Transaction) -> dict[str, Any]:
        """What every record says."""
        parts = self._parts
        return {"began": transaction.began, "rules_digest": parts.rules.digest, "panic": parts.panic.is_on()}

    def _record_unread(self, event: Event, transaction: Transaction, reply: Reply, **known: Any) -> None:
        known |= self._noted(transaction)
        self._parts.record(unread_record(event, self._connection, transaction.envelope, reply, **known))

    def _ask_ahead(self, wave: Wave, envelope: Envelope) -> "asyncio.Task[Answers]":
        """Begin a wave whose answers are needed later, so that DNS is asked while the client talks."""
        subject = Subject(connection=self._connection, envelope=envelope)
        return asyncio.get_running_loop().create_task(ask(wave, subject, NO_ANSWERS))

    def _under_way(self) -> Transaction:
        if self._transaction is None:
            raise RuntimeError("the session asks about a transaction that has not begun")
        return self._transaction


async def ask(wave: Wave, subject: Subject, before: Answers) -> Answers:
    """Run a wave of checks, which see what those before have found."""
    return await run_wave(wave, replace(subject, results=before.results))


def facts_of(subject: Subject, answers: Answers) -> Facts:
    """Everything that rules may read, as far as it is known."""
    facts: dict[str, FactValue] = {**subject.connection.facts(), **subject.envelope.facts()}
    if subject.message and subject.author:
        facts |= message_facts(subject.message, subject.author)
    return facts | found_by(answers)


def found_by(answers: Answers) -> dict[str, FactValue]:
    """What checks alone have to say."""
    return {name: value for result in answers.results.values() for name, value in result.facts().items()}


def judge(parts: Parts, facts: Facts, envelope: Envelope, *, until: Stage) -> Verdict:
    """What the rules of all stages up to `until` decide. Mail to postmaster and abuse, and all mail while the panic
    switch is on, is tagged instead of refused or put away."""
    verdict = UNDECIDED
    for stage in Stage:
        if stage <= until:
            verdict = decide(parts.rules, stage, facts, verdict)
    if verdict.action.severity <= Action.TAG.severity:
        return verdict
    spared = any(is_role_account(recipient.address) for recipient in envelope.recipients)
    return as_tag_only(verdict) if spared or parts.panic.is_on() else verdict


def authentication_results(parts: Parts, answers: Answers) -> bytes:
    """The one field that says what all checks found (RFC 8601)."""
    results = [part for result in answers.results.values() for part in result.authres()]
    return build(AuthenticationResults(parts.identity, tuple(results)))


def trace_fields(parts: Parts, subject: Subject, answers: Answers) -> tuple[bytes, bytes]:
    """Our Authentication-Results field and, below it, our Received field."""
    received = received_field(
        subject.connection,
        subject.envelope,
        hostname=parts.hostname,
        client_name=confirmed_name(answers.results),
        now=parts.clock(),
        ident=subject.envelope.id,
    )
    return authentication_results(parts, answers), received
