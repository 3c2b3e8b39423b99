"""Inspection: the journey of a message without a session or a delivery. Turns a case into everything found about it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from gateway.authres.field import build
from gateway.checks.base import Subject
from gateway.checks.run import NO_ANSWERS, Answers
from gateway.cleantext import clean_text
from gateway.config import Settings
from gateway.connection import Connection
from gateway.edge import Refusal, refused_octets, refused_recipients, take
from gateway.envelope import BodyType, Envelope, PathError, Recipient, parse_forward_path, parse_reverse_path
from gateway.facts import FactValue, all_plain
from gateway.journey import Arrival, Examination, ask, examine
from gateway.judgement import rules_for
from gateway.lines import as_sent, to_crlf
from gateway.message import Octets
from gateway.parts import Parts
from gateway.policy.decide import known_facts
from gateway.policy.language import Explained, explain
from gateway.policy.override import override
from gateway.policy.rule import Rule
from gateway.policy.verdict import Mode
from gateway.serve import build_parts
from gateway.system.dns import Resolver
from gateway.tracefields import findings

Parsed = TypeVar("Parsed")

CHECKS = ("iprev", "spf", "dkim", "arc", "dmarc", "spam")  # keys of the JSON that are always there


class CaseError(ValueError):
    """A case that is not usable; the text says why."""


class Case(Struct, frozen=True, kw_only=True):
    """A message with the envelope and the client that it is to be examined as coming from. `sent` is what that client
    would send, if it is not `content` itself: where the session refuses it, that is what is examined nonetheless."""

    content: Octets
    ip: IPv4Address | IPv6Address
    helo: str
    envelope: Envelope
    sent: Octets | None = None

    @classmethod
    def of(
        cls, raw: bytes, *, ip: IPv4Address | IPv6Address, helo: str, mail_from: str, recipients: Sequence[str]
    ) -> "Case":
        """Addresses may stand in angle brackets or not. Raises CaseError."""
        sent = Octets(as_sent(raw))
        sender = _parsed(parse_reverse_path, mail_from)
        accepted = tuple(Recipient(_parsed(parse_forward_path, address)) for address in recipients)
        envelope = Envelope(
            id="check",
            sender=sender,
            recipients=accepted,
            body=BodyType.SEVEN_BIT if sent.octets.isascii() else BodyType.EIGHT_BIT,
            smtputf8=not (mail_from.isascii() and all(address.isascii() for address in recipients)),
        )
        return cls(content=Octets(to_crlf(raw)), sent=sent, ip=ip, helo=helo, envelope=envelope)


class Explanation(Struct, frozen=True):
    """A rule, and the value of each part of its condition."""

    rule: Rule
    parts: tuple[Explained, ...]


class Inspection(Struct, frozen=True, kw_only=True):
    """Everything found about a case. What is `refused` by the session would have no journey."""

    refused: tuple[Refusal, ...]
    examination: Examination
    authentication_results: str  # the value of the field, in one line
    explanations: tuple[Explanation, ...]
    unmatched: tuple[Explanation, ...]  # the rules that do not match

    @property
    def verdict(self) -> dict[str, Any]:
        verdict = self.examination.verdict
        return {
            "action": verdict.action.value,
            "reply": str(verdict.reply) if verdict.reply else "",
            "decided_by": verdict.decisive.rule if verdict.decisive else "",
            "rules": list(verdict.enforced),
            "shadow": [hit.rule for hit in verdict.hits if hit.mode is Mode.SHADOW],
            "score": verdict.score,
            "total": verdict.total,
            "dmarc_override": override(self.examination.facts, verdict) or "",
        }

    def to_dict(self) -> dict[str, Any]:
        """For JSON: a key for each check, "facts", "verdict", "refused", "authentication_results" and "milliseconds" by
        step."""
        answers = self.examination.answers
        return {
            **dict.fromkeys(CHECKS),
            **{name: result.report() for name, result in answers.results.items()},
            "facts": all_plain(self.examination.facts),
            "verdict": self.verdict,
            "refused": [refusal.to_dict() for refusal in self.refused],
            "authentication_results": self.authentication_results,
            "milliseconds": {step: round(duration, 3) for step, duration in answers.milliseconds.items()},
        }


class Inspector:
    """Examines cases with the checks and rules of a configuration. Made inside a running event loop."""

    def __init__(self, settings: Settings, *, resolver: Resolver, clock: Callable[[], float]) -> None:
        self._disk = ThreadPoolExecutor(max_workers=1)
        self._clock = clock
        self._settings = settings
        self.parts: Parts = build_parts(
            settings, resolver=resolver, disk=self._disk, clock=clock, record=lambda record: None
        )

    async def inspect(self, case: Case) -> Inspection:
        connection, session = self._connection(case), self._settings.session
        taken = bytearray()
        intake = take((case.sent or case.content).octets, session, taken.extend)
        content = Octets(bytes(taken)) if intake.fault is None else case.content
        arrival = Arrival(
            connection=connection,
            envelope=case.envelope,
            content=content,
            cleaned=None if intake.is_clean else await clean_text(content, max_line=session.max_line),
            early=await self._early(connection, case.envelope),
        )
        examination = await examine(self.parts, arrival)
        field = build(findings(self.parts, examination.answers))
        explained, matched = tuple(_explanations(self.parts, examination)), frozenset(examination.verdict.rules)
        return Inspection(
            refused=(*self._refused_recipients(case.envelope), *refused_octets(intake)),
            examination=examination,
            authentication_results=b" ".join(field.partition(b":")[2].split()).decode("utf-8", "replace"),
            explanations=tuple(each for each in explained if each.rule.id in matched),
            unmatched=tuple(each for each in explained if each.rule.id not in matched),
        )

    def _connection(self, case: Case) -> Connection:
        return Connection(
            id="check",
            ip=case.ip,
            port=0,
            role=self.parts.realm.role_of(case.ip),
            opened=self._clock(),
            helo=case.helo,
            esmtp=True,
        )

    async def _early(self, connection: Connection, envelope: Envelope) -> Answers:
        """What is found before there is a message."""
        subject = Subject(connection=connection, envelope=envelope)
        found = await ask(self.parts.waves.client, subject, NO_ANSWERS)
        return await ask(self.parts.waves.sender, subject, found)

    def _refused_recipients(self, envelope: Envelope) -> Iterator[Refusal]:
        """Without a configuration, and so without domains of ours, nobody can say."""
        return refused_recipients(self.parts, envelope) if self._settings.domains else iter(())

    def close(self) -> None:
        self.parts.routes.close()
        self._disk.shutdown()


def read_case(line: bytes) -> tuple[str, Case]:
    """Read one line of a batch: {"file", "ip", "helo", "mail_from"} and perhaps "rcpt", a list. Raises CaseError."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CaseError(f"not a line of JSON: {error}") from error
    if not isinstance(entry, dict) or not {"file", "ip"} <= entry.keys():
        raise CaseError("not a JSON object with file, ip, helo and mail_from")
    file, ip, helo, mail_from = (str(entry.get(key, "")) for key in ("file", "ip", "helo", "mail_from"))
    recipients = entry.get("rcpt", [])
    if not isinstance(recipients, list):
        raise CaseError("rcpt is not a list")
    try:
        address, raw = ip_address(ip), Path(file).read_bytes()
    except OSError as error:
        raise CaseError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise CaseError(str(error)) from error
    recipients = [str(recipient) for recipient in recipients]
    return file, Case.of(raw, ip=address, helo=helo, mail_from=mail_from, recipients=recipients)


def _parsed(parse: Callable[[str], Parsed], address: str) -> Parsed:
    """What stands between angle brackets, or should. Raises CaseError."""
    try:
        return parse(address if address.startswith("<") else f"<{address}>")
    except PathError as error:
        raise CaseError(f'"{address}": {error}') from error


def _explanations(parts: Parts, examination: Examination) -> Iterator[Explanation]:
    rules = rules_for(parts.profiles, examination.subject.envelope)
    facts: Mapping[str, FactValue] = known_facts(rules, examination.facts, examination.verdict)
    for rule in rules.rules:
        yield Explanation(rule, explain(rule.condition, facts))
