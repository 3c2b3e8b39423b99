"""Author: who a message says it is from (RFC 5322 section 3.6.2), as DMARC needs it (RFC 9989 section 5.3.1)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from itertools import islice

from msgspec import Struct

from gateway.domain import is_within
from gateway.encodedwords import decode_octets, decode_words, hides_words
from gateway.facts import Fact, FactType, FactValue, Spelling, Stage
from gateway.headerfacts import REPEATED, repeated
from gateway.mailboxes import Mailbox, MailboxError, parse_mailboxes
from gateway.mentions import addresses, claims, domains, has_undecoded_claim, readable
from gateway.message import Field, Message

MAX_FROM = 8192  # octets, of all From fields; names of many mailboxes fit, and reading it takes some milliseconds
MAX_KNOWN = 512  # octets of a field that is remembered with what was read from it, and
REMEMBERED = 1000  # of them: who writes often, does so with the same one
MAX_FIELDS = 4  # From fields that are read where there is more than one; honest mail has one
MAX_DOMAINS = 4  # DMARC is evaluated for each (RFC 9989 section 11.5); honest mail has one, hardly ever two
GUESSED_CHARSET = "cp1252"  # of octets that are no UTF-8, in most readers; Latin-1 and a little more
MAX_MENTIONS = 10  # domains that are told of one display name


class Form(StrEnum):
    """What the From field is like."""

    ONE = "one"  # one address
    SEVERAL = "several"  # several addresses, of one domain
    DIVIDED = "divided"  # addresses of several domains (RFC 9989 section 11.5)
    MISSING = "missing"  # there is no From field
    REPEATED = "repeated"  # there is more than one
    EMPTY = "empty"  # it names nobody, or only a group without members (RFC 6854)
    ELSEWHERE = "elsewhere"  # an address in it is not of a domain: an address literal, or no valid name
    UNCLEAR = "unclear"  # readers may take it for different addresses
    CROWDED = "crowded"  # it is larger, or names more domains, than is looked at, or one in an unknown charset


class Author(Struct, frozen=True, gc=False):
    """The From field of a message. `domain` is the author domain in lower case with A-labels, and empty where there
    is none or more than one; `problem` then says why, for people, and `claimed` are the domains that one reader or
    another could take for it. What begins with name is about the display names and comments beside the addresses."""

    addresses: tuple[str, ...]
    domain: str
    problem: str = ""
    form: Form = Form.ONE
    claimed: tuple[str, ...] = ()
    name: str = ""
    name_domains: tuple[str, ...] = ()
    name_address: str = ""

    def facts(self) -> dict[str, FactValue]:
        return {
            "author.domain": self.domain,
            "author.address": self.addresses[0].lower() if len(self.addresses) == 1 else "",
            "author.count": len(self.addresses),
            "author.form": str(self.form),
            "author.problem": self.problem,
            "author.domains": (self.domain,) if self.domain else self.claimed,
            "author.name": self.name,
            "author.name_domains": self.name_domains,
            "author.name_address": self.name_address,
        }


def _fact(
    name: str,
    kind: FactType,
    meaning: str,
    absent: FactValue,
    words: Iterable[str] = (),
    spelling: Spelling = Spelling.ANY,
) -> Fact:
    return Fact(name, kind, Stage.AUTHENTICATED, meaning, absent, tuple(words), spelling=spelling)


FACTS = (
    _fact(
        "author.domain",
        FactType.STRING,
        "The domain of the From field; empty where it is not exactly one or not clear",
        "",
        spelling=Spelling.DOMAIN,
    ),
    _fact(
        "author.address",
        FactType.STRING,
        "The address of the From field in lower case; empty where it is not exactly one",
        "",
        spelling=Spelling.LOWER,
    ),
    _fact("author.count", FactType.NUMBER, "The number of addresses in the From field", 0),
    _fact(
        "author.form",
        FactType.STRING,
        "What the From field is like; there is an author.domain where it is one or several",
        Form.MISSING.value,
        Form,
    ),
    _fact("author.problem", FactType.STRING, "Why there is no author.domain, for people", ""),
    _fact(
        "author.domains",
        FactType.STRINGS,
        "The author.domain; where there is none, all domains that a reader of the From field could take for it, "
        f"at most {MAX_DOMAINS}",
        (),
        spelling=Spelling.DOMAIN,
    ),
    _fact(
        "author.name",
        FactType.STRING,
        "The display name of the From field, decoded; empty without one, or with several authors",
        "",
    ),
    _fact(
        "author.name_domains",
        FactType.STRINGS,
        "The domains that stand in the From field's display names and comments, decoded, "
        f"alone or in addresses, at most {MAX_MENTIONS}",
        (),
        spelling=Spelling.DOMAIN,
    ),
    _fact(
        "author.name_address",
        FactType.STRING,
        "An address in a display name or comment of the From field, decoded, whose domain is not author.domain "
        "nor above or below it; empty without one",
        "",
        spelling=Spelling.LOWER,
    ),
)

MESSAGE_FACTS = (
    _fact("message.size", FactType.NUMBER, "The size of the message in octets", 0),
    _fact("message.malformed", FactType.NUMBER, "Lines of the header that are no field", 0),
    REPEATED,
    _fact("subject", FactType.STRING, "The first Subject field, decoded", ""),
    _fact("received.count", FactType.NUMBER, "The number of Received fields", 0),
)


def message_facts(message: Message, author: Author) -> dict[str, FactValue]:
    """All facts of FACTS and MESSAGE_FACTS."""
    named = message.by_name
    facts = author.facts()
    facts["message.size"] = message.size
    facts["message.malformed"] = len(named.get("", ()))
    facts[REPEATED.name] = repeated(message)
    facts["subject"] = decode_words(named["subject"][0].value) if "subject" in named else ""
    facts["received.count"] = len(named.get("received", ()))
    return facts


def find_author(message: Message) -> Author:
    """Read the From field. Several authors of one domain have that domain; where the field is missing, repeated,
    unclear, or of several domains, there is none."""
    fields = message.named("from")
    if not fields:
        return _unclear(fields, Form.MISSING, "there is no From field")
    if len(fields) > 1:
        return _unclear(fields, Form.REPEATED, "there is more than one From field")
    if len(fields[0].raw) > MAX_FROM:
        return _unclear(fields, Form.CROWDED, f"the From field is larger than {MAX_FROM} octets")
    return (_known if len(fields[0].raw) <= MAX_KNOWN else _read)(fields[0])


@lru_cache(REMEMBERED)
def _known(field: Field) -> Author:
    return _read(field)


def _read(field: Field) -> Author:
    try:
        mailboxes = parse_mailboxes(field.value)
    except MailboxError as error:
        return _unclear((field,), Form.UNCLEAR, str(error))
    return _author_of((field,), mailboxes)


def _author_of(fields: tuple[Field, ...], mailboxes: tuple[Mailbox, ...]) -> Author:
    found = tuple(str(mailbox) for mailbox in mailboxes)
    of_domains = {mailbox.domain for mailbox in mailboxes}
    if not of_domains:
        return _unclear(fields, Form.EMPTY, "the From field names nobody")
    if "" in of_domains:
        return _unclear(fields, Form.ELSEWHERE, "the From field has an address that is not of a domain", found)
    if len(of_domains) > 1:
        return _unclear(fields, Form.DIVIDED, "the From field names several domains", found)
    return _clear(fields[0], mailboxes, found)


def _clear(field: Field, mailboxes: tuple[Mailbox, ...], found: tuple[str, ...]) -> Author:
    domain = mailboxes[0].domain
    shown = _shown(field.value)
    mentioned = Counter(domains(shown))
    mentioned[domain] -= len(found)  # the addresses themselves
    return Author(
        addresses=found,
        domain=domain,
        form=Form.ONE if len(found) == 1 else Form.SEVERAL,
        name=_shown(mailboxes[0].name.encode()) if len(found) == 1 else "",
        name_domains=tuple(islice(+mentioned, MAX_MENTIONS)),
        name_address=next((f"{local}@{of}" for local, of in addresses(shown) if not _are_kin(of, domain)), ""),
    )


def _unclear(fields: tuple[Field, ...], form: Form, problem: str, found: tuple[str, ...] = ()) -> Author:
    """No author domain. What names more than is looked at could hide among others the domain that counts."""
    looked_at = fields[:MAX_FIELDS]
    share = MAX_FROM // max(len(looked_at), 1)
    claimed = _first(MAX_DOMAINS + 1, _claimed(looked_at, share))
    is_hidden = any(len(field.raw) > share or _hides_domain(field) for field in looked_at)
    if len(fields) > MAX_FIELDS or len(claimed) > MAX_DOMAINS or is_hidden:
        form = Form.CROWDED
    return Author(addresses=found, domain="", problem=problem, form=form, claimed=claimed[:MAX_DOMAINS])


def _claimed(fields: tuple[Field, ...], octets: int) -> Iterator[str]:
    """Every domain that the first `octets` of each field claim, as it is written and as it is shown; where they are in
    no known charset, by the one that most readers try then."""
    for field in fields:
        yield from claims(readable(field.text[:octets]))
        yield from claims(_shown(field.value))
        if has_undecoded_claim(field.text[:octets]):
            yield from claims(readable(decode_octets(field.value[:octets], GUESSED_CHARSET) or ""))


def _hides_domain(field: Field) -> bool:
    """It can name a domain that no claim of it shows."""
    return hides_words(field.value) or has_undecoded_claim(field.text)


def _first(count: int, names: Iterator[str]) -> tuple[str, ...]:
    """The first so many different ones. What comes after them is not even looked at."""
    found: dict[str, None] = {}
    while len(found) < count and (name := next(names, "")):
        found[name] = None
    return tuple(found)


def _shown(value: bytes) -> str:
    """What a reader shows of a display name, or of a whole field."""
    return " ".join(readable(decode_words(value.replace(b"\\", b""))).split())


def _are_kin(one: str, other: str) -> bool:
    return is_within(one, other) or is_within(other, one)
