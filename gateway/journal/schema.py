"""The schema of the journal: its tables, for SQLite and PostgreSQL alike.

Lists stand in columns as JSON. `dmarc` has a row for each message that an aggregate report has to count (RFC 9990); the
other tables are about any message. What is older than the expiry is removed from all of them by its time.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

VERSION = 1  # of the schema; what changes it adds a step to MIGRATIONS
MIGRATIONS: dict[int, tuple[str, ...]] = {}  # from this version to the next one: SQL that both databases take

metadata = MetaData()


def _number() -> Column[Any]:
    """The order in which rows were written."""
    return Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def _text(name: str) -> Column[Any]:
    return Column(name, Text, nullable=False, server_default="")


schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

vocabularies = Table(
    "vocabularies",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("terms", Text, nullable=False),  # gateway.journal.glossary
)

messages = Table(
    "messages",
    metadata,
    _number(),
    Column("batch", BigInteger, nullable=False),  # drawn at random: tells whether a batch is here already
    _text("id"),  # as in the log
    _text("connection"),
    _text("event"),  # message, refused or lost
    _text("stage"),
    Column("began", Float, nullable=False),  # Unix time of MAIL
    _text("client_ip"),
    _text("client_name"),
    _text("helo"),
    _text("sender"),
    Column("recipients", JSON, nullable=False),
    _text("author"),
    _text("author_domain"),
    _text("subject"),
    _text("message_id"),
    Column("size", BigInteger, nullable=False),
    _text("action"),
    _text("dmarc_override"),
    Column("total", Float),
    Column("rules", JSON, nullable=False),  # those that matched and are enforced
    Column("shadow", JSON, nullable=False),
    _text("candidate_action"),  # what the candidate rules would have done
    Column("candidate_rules", JSON, nullable=False),
    _text("unscanned_by"),  # the rule by which spamd was not asked
    _text("rules_digest"),
    Column("panic", Boolean, nullable=False),
    Column("reply_class", SmallInteger, nullable=False),  # 2, 4 or 5; 0 where nothing was answered
    _text("reply"),
    _text("next_hop"),
    _text("answer"),
    _text("queue_id"),
    Column("milliseconds", JSON, nullable=False),
    _text("vocabulary"),  # the digest of the one that the facts are of
    Column("settled", SmallInteger, nullable=False),  # the stage up to which facts that are missing do not apply
    Column("unrecorded", JSON, nullable=False),  # facts that were cut or left out
    Column("facts", LargeBinary, nullable=False),  # a JSON object in ASCII
)
Index("messages_began", messages.c.began)
Index("messages_id", messages.c.id)

dmarc = Table(
    "dmarc",
    metadata,
    _number(),
    _text("id"),  # of the message
    Column("began", Float, nullable=False),
    _text("policy_domain"),
    _text("source_ip"),
    _text("result"),  # pass, fail or temperror
    _text("disposition"),
    _text("dkim_aligned"),
    _text("spf_aligned"),
    _text("override"),
    _text("comment"),
    _text("header_from"),
    _text("envelope_from"),
    _text("envelope_to"),
    _text("p"),
    _text("sp"),
    _text("np"),
    _text("adkim"),
    _text("aspf"),
    _text("testing"),
    _text("fo"),
    Column("rua", JSON, nullable=False),
    Column("dkim", JSON, nullable=False),  # [[domain, selector, result, reason], ...]
    _text("spf_domain"),
    _text("spf_scope"),
    _text("spf_result"),
    _text("spf_reason"),
)
Index("dmarc_began", dmarc.c.began)
Index("dmarc_id", dmarc.c.id)

gaps = Table(
    "gaps",
    metadata,
    _number(),
    Column("began", Float, nullable=False),  # Unix time at which it was known
    _text("reason"),
    Column("entries", BigInteger, nullable=False),  # that were dropped
)
Index("gaps_began", gaps.c.began)

feedback = Table(
    "feedback",
    metadata,
    _number(),
    Column("began", Float, nullable=False),  # Unix time at which it was given
    _text("id"),  # of the message, as in the log; "" where that is not known
    _text("digest"),  # SHA-256 of the content, in hexadecimal digits
    _text("verdict"),  # ham or spam
    _text("source"),
)
Index("feedback_began", feedback.c.began)
Index("feedback_id", feedback.c.id)
Index("feedback_digest", feedback.c.digest)

AGEING = (messages, dmarc, gaps, feedback)  # what the expiry removes from, by the column `began`
