"""Author: who a message says it is from (RFC 5322 section 3.6.2), as DMARC needs it (RFC 9989 section 5.3.1)."""

from dataclasses import dataclass

from gateway.encodedwords import decode_words
from gateway.facts import Fact, FactType, FactValue, Stage
from gateway.mailboxes import Mailbox, MailboxError, parse_mailboxes
from gateway.message import Message

MAX_FROM = 8192  # octets; names of many mailboxes fit, and what is read stays far below a millisecond's work


@dataclass(frozen=True, slots=True)
class Author:
    """The From field of a message. `domain` is the author domain in lower case with A-labels, and empty where there
    is none or more than one; `problem` then says why, for people."""

    addresses: tuple[str, ...]
    domain: str
    problem: str = ""

    def facts(self) -> dict[str, FactValue]:
        return {
            "author.domain": self.domain,
            "author.address": self.addresses[0].lower() if len(self.addresses) == 1 else "",
            "author.count": len(self.addresses),
            "author.problem": self.problem,
        }


FACTS = (
    Fact(
        "author.domain",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "The domain of the From field; empty where it is not exactly one or not clear",
        "",
    ),
    Fact(
        "author.address",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "The address of the From field in lower case; empty where it is not exactly one",
        "",
    ),
    Fact("author.count", FactType.NUMBER, Stage.AUTHENTICATED, "The number of addresses in the From field", 0),
    Fact("author.problem", FactType.STRING, Stage.AUTHENTICATED, "Why there is no author.domain, for people", ""),
)

MESSAGE_FACTS = (
    Fact("message.size", FactType.NUMBER, Stage.AUTHENTICATED, "The size of the message in octets", 0),
    Fact("message.malformed", FactType.NUMBER, Stage.AUTHENTICATED, "Lines of the header that are no field", 0),
    Fact("subject", FactType.STRING, Stage.AUTHENTICATED, "The first Subject field, decoded", ""),
    Fact("received.count", FactType.NUMBER, Stage.AUTHENTICATED, "The number of Received fields", 0),
)


def message_facts(message: Message, author: Author) -> dict[str, FactValue]:
    """All facts of FACTS and MESSAGE_FACTS."""
    subjects = message.named("subject")
    return {
        **author.facts(),
        "message.size": message.size,
        "message.malformed": len(message.named("")),
        "subject": decode_words(subjects[0].value) if subjects else "",
        "received.count": len(message.named("received")),
    }


def find_author(message: Message) -> Author:
    """Read the From field. Several authors of one domain have that domain; where the field is missing, repeated,
    unclear, or of several domains, there is none."""
    fields = message.named("from")
    if len(fields) != 1:
        return _no_author("there is more than one From field" if fields else "there is no From field")
    if len(fields[0].raw) > MAX_FROM:
        return _no_author(f"the From field is larger than {MAX_FROM} octets")
    try:
        return _author_of(parse_mailboxes(fields[0].value))
    except MailboxError as error:
        return _no_author(str(error))


def _no_author(problem: str) -> Author:
    return Author(addresses=(), domain="", problem=problem)


def _author_of(mailboxes: tuple[Mailbox, ...]) -> Author:
    addresses = tuple(str(mailbox) for mailbox in mailboxes)
    domains = {mailbox.domain for mailbox in mailboxes}
    if not domains:
        return _no_author("the From field names nobody")
    if "" in domains:
        return Author(addresses=addresses, domain="", problem="the From field has an address that is not of a domain")
    if len(domains) > 1:
        return Author(addresses=addresses, domain="", problem="the From field names several domains")
    return Author(addresses=addresses, domain=domains.pop())
