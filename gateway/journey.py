"""The journey of a message, step by step. Start reading here.

    Connection → Envelope → Message → Results → Verdict → Delivery → Reply

`Journey` is one client's connection: the session calls it, and what it answers is what the client is told.
`examine` is its middle, everything between the final dot and the delivery; `mailward check` calls it too.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from gateway import recorder
from gateway.author import find_author, message_facts
from gateway.authres.marks import marks
from gateway.authres.received import loop_problem
from gateway.authres.stamp import for_scanners, stamp
from gateway.checks.base import Check, Subject
from gateway.checks.run import NO_ANSWERS, Answers, run_wave
from gateway.connection import Connection
from gateway.delivery.base import Delivery, NextHop
from gateway.delivery.outcome import Outcome
from gateway.envelope import Envelope, Recipient
from gateway.facts import FactValue, Stage
from gateway.message import Content, HeaderTooLarge, Stamped, parse_message
from gateway.parts import Parts
from gateway.policy.decide import as_tag_only, decide
from gateway.policy.verdict import UNDECIDED, Action, Verdict
from gateway.realm import is_role_account
from gateway.reply import Reply, reply
from gateway.system.spool import Spool
from gateway.trace import trace_fields

SENDER_OK = reply("250 2.1.0", "Sender ok")
RECIPIENT_OK = reply("250 2.1.5", "Recipient ok")
NO_RELAY = reply("550 5.7.1", "Relaying denied: mail for this recipient is not accepted here")
NO_ROUTE = reply("451 4.3.5", "There is no way to this recipient at the moment")
ANOTHER_TIME = reply("452 4.5.3", "Bring this recipient in a transaction of its own")
HEADER_TOO_LARGE = Verdict(Action.REJECT, reply("554 5.6.0", "The header section of the message is too large"))
LOOPING = Verdict(Action.REJECT, reply("554 5.4.6", "Mail loop: the message has been here or on its way too often"))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came: who brought it, in which envelope, and what was asked and answered before its content."""

    connection: Connection
    envelope: Envelope
    content: Content
    early: Answers  # of the waves "connect" and "mail"


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found about a message, and what follows. `stamped` is there unless it was refused before it was stamped."""

    subject: Subject
    answers: Answers
    facts: Mapping[str, FactValue]
    verdict: Verdict
    stamped: Stamped | None = None


async def examine(parts: Parts, arrival: Arrival) -> Examination:
    """Check, judge, stamp, score, judge again. Nothing is handed on."""
    subject = Subject(connection=arrival.connection, envelope=arrival.envelope)
    try:
        message = parse_message(arrival.content, max_header=parts.limits.header_size)
    except HeaderTooLarge:
        return Examination(subject, arrival.early, {}, HEADER_TOO_LARGE)
    author = find_author(message)
    subject = replace(subject, message=message, author=author)
    if loop_problem(message, parts.hostname, parts.limits.received, parts.limits.own_received):
        return Examination(subject, arrival.early, {}, LOOPING)

    answers = arrival.early | await ask(parts, parts.waves.message, subject, arrival.early)
    answers |= await ask(parts, parts.waves.conclusion, subject, answers)
    facts = parts.facts_of(subject, answers)
    verdict = judge(parts, subject.envelope, facts, Stage.CONNECT, Stage.AUTHENTICATED)
    if verdict.action.refuses:
        return Examination(subject, answers, facts, verdict)

    stamped = stamp(message, authserv_id=parts.identity, ours=trace_fields(parts, subject, answers))
    answers |= await ask(parts, parts.waves.scoring, replace(subject, copy=for_scanners(stamped)), answers)
    facts = parts.facts_of(subject, answers)
    verdict = judge(parts, subject.envelope, facts, Stage.SCORED, Stage.SCORED, verdict)
    return Examination(subject, answers, facts, verdict, stamped.topped_with(marks(verdict, answers)))


def judge(
    parts: Parts, subject: Subject, facts: Facts, *, through: Stage, earlier: Verdict = UNDECIDED, after: Stage | None = None
) -> Verdict:
    """Let the rules of every stage after `after` and up to `through` decide, in their order."""
    verdict = earlier
    for stage in Stage:
        if (after is None or stage > after) and stage <= through:
            verdict = decide(parts.rules, stage, facts, verdict)
    return verdict


class Transaction:
    """One mail transaction: begun by MAIL, ended by the message, RSET or the end of the connection."""

    def __init__(self, envelope: Envelope, began: float, sender_checks: "asyncio.Task[Answers]") -> None:
        self.envelope = envelope
        self.began = began
        self.sender_checks = sender_checks
        self.hop: NextHop | None = None
        self.delivery: Delivery | None = None

    def suits(self, hop: NextHop, recipient: Recipient) -> bool:
        """Whether one answer to the message can hold for this recipient as for those that were accepted."""
        if not self.envelope.recipients:
            return True
        first = self.envelope.recipients[0].address
        return (
            hop is self.hop
            and hop.shares_transactions
            and is_role_account(first) == is_role_account(recipient.address)
        )

    async def close(self) -> None:
        self.sender_checks.cancel()
        if self.delivery:
            await self.delivery.close()


class Journey:
    """One client's connection (a Visit, as the session sees it)."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._connection: Connection
        self._client_checks: asyncio.Task[Answers]
        self._transaction: Transaction | None = None

    async def connect(self, connection: Connection) -> Reply | None:
        self._connection = connection
        nobody = Envelope(id=connection.id, sender=None)
        self._client_checks = self._ahead(self._parts.waves.connect, nobody)
        return None

    async def helo(self, connection: Connection) -> Reply | None:
        self._connection = connection
        return None

    async def mail(self, envelope: Envelope) -> Reply:
        began = self._parts.clock()
        self._transaction = Transaction(envelope, began, self._ahead(self._parts.waves.mail, envelope))
        return SENDER_OK

    async def rcpt(self, recipient: Recipient) -> Reply:
        transaction = self._begun()
        answer = self._refusal(transaction, recipient) or await self._ask_next_hop(transaction, recipient)
        if not answer.is_success:
            self._parts.record(refused(...))
            return answer
        transaction.envelope = replace(transaction.envelope, recipients=(*transaction.envelope.recipients, recipient))
        return RECIPIENT_OK

    async def message(self, spool: Spool) -> Reply:
        transaction = self._begun()
        self._transaction = None
        try:
            early = await self._client_checks | await transaction.sender_checks
            arrival = Arrival(self._connection, transaction.envelope, spool, early)
            examination = await examine(self._parts, arrival)
            outcome = await self._carry_out(transaction, examination)
        finally:
            await transaction.close()
        self._parts.record(travelled(...))
        return outcome.reply

    async def reset(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction:
            await transaction.close()
