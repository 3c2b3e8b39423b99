"""Header facts: the fields of a message that rules ask for by name, and those that are repeated, to facts. Pure.

header("X-Mailer") in a condition stands for the fact header.x-mailer: the values of all fields of that name, so that a
second one hides nothing. They are known as they came, before anything was stamped or removed.
"""

import re
from collections.abc import Collection
from functools import lru_cache

from gateway.encodedwords import decode_words
from gateway.facts import Fact, FactType, FactValue, Stage
from gateway.message import Message

PREFIX = "header."
MAX_VALUES = 20  # fields of one name that are decoded; only Received honestly comes more often

# Fields that a message has once, if at all: RFC 5322 section 3.6, RFC 2045 section 3, RFC 2183 section 2. Where there
# are two, readers differ in which they show, and a signature may cover the other one.
SINGLE = (
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "content-id",
    "content-description",
)

REPEATED = Fact(
    "message.repeated",
    FactType.STRINGS,
    Stage.AUTHENTICATED,
    "The names, in lower case, of the fields that a message may have only once and that this one has more often: "
    "subject, reply-to, content-type and the like",
    (),
    SINGLE,
)

field_name_re = re.compile(r"[!-9;-~]{1,78}\Z")  # RFC 5322 section 3.6.8


def header_fact(name: str) -> Fact:
    """The declaration of the fact for the fields of that name."""
    meaning = f"The values of the {name.lower()} fields, decoded"
    return Fact(f"{PREFIX}{name.lower()}", FactType.STRINGS, Stage.AUTHENTICATED, meaning, ())


def repeated(message: Message) -> tuple[str, ...]:
    """Which of SINGLE are there more than once."""
    if len(message.by_name) == len(message.fields):
        return ()
    more = {name for name, fields in message.by_name.items() if len(fields) > 1}
    return tuple([name for name in SINGLE if name in more]) if more else ()


def header_facts(message: Message, wanted: Collection[str]) -> dict[str, FactValue]:
    """Those of the wanted facts that are about the header: of each field the first MAX_SHOWN octets."""
    return {
        fact: tuple(decode_words(field.value) for field in message.named(name)[:MAX_VALUES])
        for fact, name in _fields_of(frozenset(wanted))
    }


@lru_cache(8)
def _fields_of(facts: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Those that are about the header, with the names of their fields. Sets of rules are few, and read again and again;
    those before a reload make room."""
    return tuple((fact, fact.removeprefix(PREFIX)) for fact in facts if fact.startswith(PREFIX))
