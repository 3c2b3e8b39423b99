"""Entries: what the journal has, as values: of a message, of an evaluation of DMARC, of what was dropped, of all."""

from collections.abc import Mapping

from msgspec import Struct

from gateway.facts import FactValue


class Entry(Struct, frozen=True, kw_only=True):
    """One row. `facts` are those that were recorded, as rules saw them, with those that did not apply: a rule that
    reads a fact which is not there cannot be replayed. `shown` are those that were written; some may be cut."""

    id: str
    connection: str
    event: str
    stage: str
    began: float  # Unix time
    client_ip: str
    client_name: str
    helo: str
    sender: str
    recipients: tuple[str, ...]
    author: str
    author_domain: str
    subject: str
    message_id: str
    size: int
    action: str
    dmarc_override: str
    total: float | None
    rules: tuple[str, ...]
    shadow: tuple[str, ...]
    candidate_action: str
    candidate_rules: tuple[str, ...]
    unscanned_by: str
    rules_digest: str
    panic: bool
    reply: str
    next_hop: str
    answer: str
    queue_id: str
    milliseconds: Mapping[str, float]
    unrecorded: tuple[str, ...]  # facts that were known and not, or not wholly, written
    facts: Mapping[str, FactValue]
    shown: Mapping[str, FactValue]


class Evaluation(Struct, frozen=True, kw_only=True):
    """What an aggregate report says of one message, in the words of RFC 9990; the policy was found by a tree walk."""

    id: str
    began: float  # Unix time
    policy_domain: str
    source_ip: str  # "" where it is redacted
    result: str  # pass, fail; temperror where a lookup failed, so that neither was found
    disposition: str
    dkim_aligned: str
    spf_aligned: str
    override: str
    comment: str
    header_from: str
    envelope_from: str
    envelope_to: str
    p: str
    sp: str
    np: str
    adkim: str
    aspf: str
    testing: str
    fo: str
    rua: tuple[str, ...]  # where reports are wanted; the report is sent to what is published then
    dkim: tuple[tuple[str, ...], ...]  # domain, selector, result, reason of each signature
    spf_domain: str
    spf_scope: str  # mfrom, or helo where the sender was <>
    spf_result: str
    spf_reason: str


class Gap(Struct, frozen=True, kw_only=True):
    """Entries that were dropped; `began` is when that was known."""

    began: float
    reason: str
    entries: int


class Extent(Struct, frozen=True, kw_only=True):
    """How much there is in a journal, from when to when (Unix time; None where there is nothing)."""

    rows: int
    first: float | None
    last: float | None
    octets: int
    missing: Mapping[str, int]  # entries that were dropped, by reason
    feedback: int
