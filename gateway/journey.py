"""The journey of a message, step by step. Start reading here.

    Connection → Envelope → Message → Results → Verdict → Delivery → Reply

`examine` is its middle, everything between the final dot and the delivery; `mailward check` calls it too.
`Journey` is one client's connection: the session calls it, and what it answers is what the client is told.
"""

import time
from collections.abc import Awaitable
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gateway.author import find_author
from gateway.authres.edits import edit
from gateway.authres.marks import marks
from gateway.authres.received import loop_problem
from gateway.authres.stamp import for_scanners, stamp
from gateway.checks.ahead import Ahead
from gateway.checks.base import Subject
from gateway.checks.iprev import NAME_FACTS, confirmed_name
from gateway.checks.run import Answers, Wave, run_wave
from gateway.connection import Connection
from gateway.delivery.base import NextHop
from gateway.delivery.outcome import Outcome
from gateway.envelope import Envelope, Recipient
from gateway.facts import Facts, Stage
from gateway.judgement import facts_of, judge, judge_by_candidate, judge_early, judge_scored, rules_for
from gateway.message import Content, HeaderTooLarge, Stamped, parse_message
from gateway.parts import Parts
from gateway.policy.verdict import Action, Verdict
from gateway.record import Basis, Event
from gateway.recorder import candidate_noted, lost_record, message_record, refusal_record, unread_record
from gateway.reply import Reply, reply
from gateway.system.spool import Spool
from gateway.tracefields import seal, trace_fields
from gateway.transaction import Transaction
from gateway.visit import INTERNAL_ERROR, Visit

SENDER_OK = reply("250 2.1.0", "Sender ok")
RECIPIENT_OK = reply("250 2.1.5", "Recipient ok")
NO_RELAY = reply("550 5.7.1", "Relaying denied: this host takes no mail for that recipient")
NO_ROUTE = reply("451 4.3.5", "This host does not know where mail for that recipient goes")
SEPARATELY = reply("452 4.5.3", "Bring this recipient in a transaction of its own")
HEADER_TOO_LARGE = Verdict(Action.REJECT, reply("554 5.3.4", "The header section of the message is too large"))
LOOPING = Verdict(Action.REJECT, reply("554 5.4.6", "Mail loop: this message has passed through too many hosts"))


class Arrival(Struct, frozen=True, kw_only=True):
    """A message as it came: who brought it, in which envelope, and what was found before its content was there."""

    connection: Connection
    envelope: Envelope
    content: Content
    cleaned: Content | None = None  # what goes on in its place, where its lines are not as they should be
    early: Answers  # of the waves "client" and "sender"


class Examination(Struct, frozen=True, kw_only=True):
    """What was found about a message and what follows. There is no `stamped` where it was refused before that step."""

    subject: Subject
    answers: Answers
    facts: Facts
    verdict: Verdict
    candidate: Verdict | None = None  # what the candidate rules would have decided, where there are some
    stamped: Stamped | None = None


async def examine(parts: Parts, arrival: Arrival) -> Examination:
    """Check, judge, stamp, score, judge again, mark and seal. Nothing is handed on."""
    connection, envelope, answers = arrival.connection, arrival.envelope, arrival.early
    try:
        message = parse_message(arrival.content, max_header=parts.limits.header_size)
    except HeaderTooLarge:
        subject = Subject(connection=connection, envelope=envelope)
        return _refused_unread(parts, subject, answers, HEADER_TOO_LARGE)
    author, found = find_author(message), answers.results
    subject = Subject(connection=connection, envelope=envelope, message=message, author=author, results=found)
    if loop_problem(message, parts.hostname, parts.limits.received, parts.limits.own_received):
        return _refused_unread(parts, subject, answers, LOOPING)

    answers = await run_wave(parts.waves.message, subject, answers)
    answers = await ask(parts.waves.conclusion, subject, answers)
    facts = facts_of(parts, subject, answers)
    verdict = judge(parts, facts, envelope, until=Stage.AUTHENTICATED)
    if verdict.action.refuses:
        candidate = judge_by_candidate(parts, facts, envelope, until=Stage.AUTHENTICATED)
        return Examination(subject=subject, answers=answers, facts=facts, verdict=verdict, candidate=candidate)

    going_on = replace(message, content=arrival.cleaned) if arrival.cleaned else message
    stamped = stamp(going_on, authserv_id=parts.identity, ours=trace_fields(parts, subject, answers))
    copy, unscanned_by = for_scanners(stamped), verdict.unscanned_by
    scanned = replace(subject, results=answers.results, copy=copy, unscanned_by=unscanned_by)
    answers = await run_wave(parts.waves.scoring, scanned, answers)
    for check in parts.waves.scoring.checks:
        facts |= answers.results[check.name].facts()
    verdict = judge_scored(parts, facts, envelope, verdict)
    marked = edit(stamped, verdict.edits).topped_with(marks(verdict, facts))
    sealed = marked if verdict.action.refuses else await seal(parts, subject, answers, marked)
    candidate = judge_by_candidate(parts, facts, envelope, until=Stage.SCORED)
    return Examination(
        subject=subject, answers=answers, facts=facts, verdict=verdict, candidate=candidate, stamped=sealed
    )


def _refused_unread(parts: Parts, subject: Subject, answers: Answers, verdict: Verdict) -> Examination:
    """No check has looked at the message, and no rule was asked."""
    return Examination(subject=subject, answers=answers, facts=facts_of(parts, subject, answers), verdict=verdict)


class Journey(Visit):
    """One client's connection. Rules that refuse before RCPT are carried out there, where mail to postmaster and abuse,
    which is never refused, can be told apart (RFC 5321 section 4.5.1)."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._connection: Connection
        self._client_checks: Ahead
        self._transaction: Transaction | None = None

    async def connect(self, connection: Connection) -> Reply | None:
        self._connection = connection
        subject = Subject(connection=connection, envelope=Envelope(id=connection.id, sender=None))
        self._client_checks = Ahead(self._parts.waves.client, subject)
        return None

    async def helo(self, connection: Connection) -> Reply | None:
        self._connection = connection
        return None

    async def mail(self, envelope: Envelope) -> Reply:
        sender_checks = Ahead(self._parts.waves.sender, Subject(connection=self._connection, envelope=envelope))
        self._transaction = Transaction(envelope, began=self._parts.clock(), sender_checks=sender_checks)
        return SENDER_OK

    async def rcpt(self, recipient: Recipient) -> Reply:
        transaction = self._under_way()
        envelope = transaction.with_recipient(recipient)
        verdict = await self._early_verdict(transaction, envelope)
        answer = await self._answer_to(transaction, recipient, verdict)
        if not answer.is_success:
            found = self._so_far(transaction)
            basis = self._basis(envelope, found)
            candidate = judge_by_candidate(self._parts, basis.facts, envelope, until=Stage.RCPT)
            known = {"basis": basis, **candidate_noted(candidate), **self._noted(transaction, envelope)}
            self._parts.record(refusal_record(self._connection, envelope, found, answer, verdict, **known))
            return answer
        transaction.envelope = envelope
        return RECIPIENT_OK

    async def message(self, spool: Spool, cleaned: Content | None = None) -> Reply:
        transaction = self._under_way()
        self._transaction = None
        started = time.perf_counter()
        try:
            early = await self._client_checks.answers() | await transaction.sender_checks.answers()
            arrival = Arrival(
                connection=self._connection,
                envelope=transaction.envelope,
                content=spool,
                cleaned=cleaned,
                early=early,
            )
            examination = await examine(self._parts, arrival)
            examined = time.perf_counter()
            verdict, stamped = examination.verdict, examination.stamped
            if verdict.reply or stamped is None:
                outcome = Outcome(reply=verdict.reply or INTERNAL_ERROR)
            else:
                outcome = await self._hand_on(transaction, stamped, verdict, spent=examined - started)
        except BaseException:  # the session answers 451 and logs it; here it is noted which message it was
            failed = {"action": Action.DEFER.value, "size": spool.size}
            self._record_unread(Event.MESSAGE, transaction, INTERNAL_ERROR, **failed)
            raise
        finally:
            await transaction.close()
        finished = time.perf_counter()
        steps = {"deliver": (finished - examined) * 1e3, "total": (finished - started) * 1e3}
        self._parts.burst.first(partial(self._record, examination, outcome, steps, transaction))  # before the reply
        return outcome.reply

    def let_go(self) -> None:
        if self._transaction and self._transaction.delivery:
            self._transaction.delivery.let_go()

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
            envelope, found = transaction.envelope, self._so_far(transaction)
            known = {"basis": self._basis(envelope, found), **self._noted(transaction, envelope)}
            self._parts.record(lost_record(self._connection, envelope, found, **known))
        await transaction.close()

    async def _early_verdict(self, transaction: Transaction, envelope: Envelope) -> Verdict:
        """What the rules up to RCPT decide. The client waits for those checks alone that one of them needs."""
        needed = rules_for(self._parts.profiles, envelope).reads[Stage.RCPT]
        await self._client_checks.tell(needed)
        await transaction.sender_checks.tell(needed)
        found = (self._client_checks.so_far, transaction.sender_checks.so_far)
        return judge_early(self._parts, self._connection, envelope, found)

    def _so_far(self, transaction: Transaction) -> Answers:
        """What has been found before there is a message."""
        return self._client_checks.so_far | transaction.sender_checks.so_far

    async def _answer_to(self, transaction: Transaction, recipient: Recipient, verdict: Verdict) -> Reply:
        """Whether a recipient can be had: first what we ourselves say, then the next hop."""
        hop = next_hop(self._parts, recipient, verdict.route)
        if isinstance(hop, Reply):
            return hop
        profile = self._parts.profiles.name_for(recipient.address.domain)
        if not transaction.suits(hop, recipient, profile):
            return SEPARATELY
        if verdict.reply:
            return verdict.reply
        await self._client_checks.tell(NAME_FACTS)
        client_name = confirmed_name(self._client_checks.so_far.results)
        delivery = await transaction.towards(hop, self._connection, client_name, profile)
        return await delivery.recipient(recipient)

    def _hand_on(
        self, transaction: Transaction, stamped: Stamped, verdict: Verdict, *, spent: float
    ) -> Awaitable[Outcome]:
        """To where the message goes by its verdict."""
        if verdict.action is Action.QUARANTINE and self._parts.quarantine:
            return self._parts.quarantine.store(self._connection, transaction.envelope, stamped, verdict)
        assert transaction.delivery is not None, "a message was taken without an accepted recipient"
        return transaction.delivery.send(transaction.envelope, stamped, spent=spent)

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
            **candidate_noted(examination.candidate),
            **self._noted(transaction, transaction.envelope),
        )
        self._parts.record(record)

    def _noted(self, transaction: Transaction, envelope: Envelope) -> dict[str, Any]:
        """What every record says. `envelope` has the recipient by whose profile it was judged."""
        parts = self._parts
        digest = rules_for(parts.profiles, envelope).digest
        return {"began": transaction.began, "rules_digest": digest, "panic": parts.panic.is_on()}

    def _basis(self, envelope: Envelope, found: Answers) -> Basis:
        """What there was to decide on where there was no message: of the checks, what had answered by then."""
        subject = Subject(connection=self._connection, envelope=envelope)
        return Basis(facts=facts_of(self._parts, subject, found), settled=Stage.MAIL)

    def _record_unread(self, event: Event, transaction: Transaction, reply: Reply, **known: Any) -> None:
        envelope, found = transaction.envelope, self._so_far(transaction)
        known |= {"basis": self._basis(envelope, found), **self._noted(transaction, envelope)}
        self._parts.record(unread_record(event, self._connection, envelope, found, reply, **known))

    def _under_way(self) -> Transaction:
        if self._transaction is None:
            raise RuntimeError("the session asks about a transaction that has not begun")
        return self._transaction


def next_hop(parts: Parts, recipient: Recipient, route: str = "") -> NextHop | Reply:
    """Where mail for a recipient goes, by the route that a rule chose or that of the domain; or why we take none."""
    if not parts.realm.holds(recipient.address):
        return NO_RELAY
    domain = recipient.address.domain
    return (parts.routes.named(route, domain) if route else parts.routes.hop_for(domain)) or NO_ROUTE


def ask(wave: Wave, subject: Subject, before: Answers) -> Awaitable[Answers]:
    """Run a wave of checks, which see what those before have found. They answer behind these."""
    return run_wave(wave, subject.knowing(before.results), before)
