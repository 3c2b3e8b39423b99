"""Record: everything that is noted of one message, or of a transaction that was refused before there was one."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct, field, to_builtins
from msgspec.json import Encoder
from msgspec.structs import replace

from gateway.facts import Facts, Stage

_encode = Encoder().encode


class Event(StrEnum):
    """What a record is about."""

    MESSAGE = "message"  # all octets were here, and the client had its answer to the final dot
    REFUSED = "refused"  # a recipient, or what came after DATA, was answered 4yz or 5yz, so there was no message
    LOST = "lost"  # recipients were accepted, but no message came: the client was gone, or gave it up by RSET


class Basis(Struct, frozen=True, kw_only=True):
    """What it was decided on: for the journal alone. A fact up to the stage `settled` that is missing does not apply;
    one of a later stage was not found out."""

    facts: Facts
    settled: Stage
    dmarc: Mapping[str, Any] | None = None  # what aggregate reports need besides (gateway.journal.dmarc)


NO_BASIS = Basis(facts={}, settled=Stage.MAIL)


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The journey of one message in plain values. Whatever stands in it came from the wire: it is escaped when written.

    An empty value says that the journey did not come so far, or that there was nothing; it is left out of the log.
    """

    event: Event
    id: str = ""  # the envelope's id, as in Received and in our 250; "" before MAIL
    connection: str
    began: float  # Unix time at which the transaction began
    stage: str  # the stage of the journey at which it was decided

    client_ip: str
    client_port: int = 0
    client_name: str = ""  # the confirmed reverse name (iprev)
    client_role: str = ""
    via: str = ""  # the balancer or proxy of ours that brought the client
    helo: str = ""
    tls: str = ""  # TLSv1.3 TLS_AES_256_GCM_SHA384

    sender: str = ""  # MAIL FROM; "" for <> and before MAIL
    recipients: tuple[str, ...] = ()  # the accepted ones, or the one that was refused
    author: str = ""  # the From field's address
    subject: str = ""
    message_id: str = ""
    size: int = 0  # octets

    results: Mapping[str, str] = field(default_factory=dict)  # check -> result word: {"spf": "pass", "spam": "scored"}
    listings: tuple[str, ...] = ()  # what DNS lists answered, each with the list's name: "zen:pbl"
    failed_lists: tuple[str, ...] = ()  # the names of those that gave no answer
    score: float | None = None  # spamd's
    required: float | None = None  # spamd's threshold
    symbols: tuple[str, ...] = ()
    unscanned_by: str = ""  # the rule by which spamd was not asked
    spamd_spared: str = ""  # the score is that of the same message: "in_flight" at that time, or "remembered"
    truncated: bool = False  # spamd was given the beginning only, since the message is larger than it is to scan

    action: str = ""
    dmarc_override: str = ""  # why it was treated more mildly than the author's domain publishes (RFC 9990)
    total: float | None = None  # spamd's score and those of the rules
    rules: tuple[str, ...] = ()  # those that matched and are enforced
    shadow: tuple[str, ...] = ()  # those that matched in shadow mode
    candidate_action: str = ""  # what the candidate rules would have done
    candidate_rules: tuple[str, ...] = ()  # which of them matched
    rules_digest: str = ""  # of the rules in force, so that a decision can be traced to its files
    panic: bool = False  # the switch was on, so `action` was not carried out

    reply: str = ""  # what the client was told
    next_hop: str = ""
    answer: str = ""  # the next hop's reply
    queue_id: str = ""  # of the next hop
    milliseconds: Mapping[str, float] = field(default_factory=dict)  # step -> duration; "total" is the whole

    basis: Basis | None = None

    def to_dict(self) -> dict[str, Any]:
        """The record as names and values for the log: no empty ones but a score of zero, results each with a key."""
        values: dict[str, Any] = to_builtins(self._shown())
        return values | self._also_shown()

    def to_json(self) -> bytes:
        """The same as a JSON object, without a dictionary on the way to it. Raises UnicodeEncodeError where a text has
        octets that are no UTF-8."""
        octets, more = _encode(self._shown()), self._also_shown()
        return b"%b,%b" % (octets[:-1], _encode(more)[1:]) if more else octets

    def _shown(self) -> "Record":
        """What the log has as it is: times in no more digits than they are worth."""
        milliseconds = hundredths(self.milliseconds)
        return replace(self, began=round(self.began, 3), results={}, milliseconds=milliseconds, basis=None)

    def _also_shown(self) -> dict[str, Any]:
        more: dict[str, Any] = {check: word for check, word in self.results.items() if word}
        if self.recipients:
            more["recipient_count"] = len(self.recipients)
        return more


def hundredths(milliseconds: Mapping[str, float]) -> dict[str, float]:
    """The same durations, rounded. Without round(), which goes by way of a decimal text."""
    return {step: int(some * 100 + 0.5) / 100 for step, some in milliseconds.items()}
