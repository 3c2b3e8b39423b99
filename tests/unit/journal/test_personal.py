"""Which facts are personal: of every fact that can hold a text it is decided."""

from gateway.facts import FactType
from gateway.journal.personal import PERSONAL, hidden_facts
from gateway.system.redaction import Redactable
from gateway.vocabulary import FACTS

# Names of domains and networks, words of ours, and what programs say of themselves.
NOT_PERSONAL = {
    "arc.result",
    "arc.sealer",
    "arc.sealers",
    "attachments.names",
    "attachments.result",
    "attachments.suffixes",
    "attachments.types",
    "author.domain",
    "author.domains",
    "author.form",
    "author.name_domains",
    "author.problem",
    "client.role",
    "dkim.domains",
    "dkim.failures",
    "dkim.result",
    "dkim.times",
    "dkim.unsigned",
    "dmarc.aligned",
    "dmarc.author",
    "dmarc.domain",
    "dmarc.policy",
    "dmarc.published",
    "dmarc.result",
    "iprev.result",
    "message.repeated",
    "now.date",
    "now.weekday",
    "recipient.domain",
    "recipient.profile",
    "sender.domain",
    "spam.result",
    "spam.symbols",
    "spf.domain",
    "spf.helo",
    "spf.identity",
    "spf.mechanism",
    "spf.result",
    "tls.cipher",
    "tls.version",
    *(f"{check}.{name}" for check in ("dnslists", "domainlists") for name in ("allowed", "blocked", "failed")),
    *(f"{check}.{name}" for check in ("dnslists", "domainlists") for name in ("listings", "result")),
}
TEXTS = {fact.name for fact in FACTS if fact.type in (FactType.STRING, FactType.STRINGS, FactType.ADDRESS)}


def test_of_every_text_it_is_decided_whether_it_is_personal() -> None:
    personal = {name for names in PERSONAL.values() for name in names}
    assert personal | NOT_PERSONAL == TEXTS
    assert not personal & NOT_PERSONAL


def test_every_value_that_can_be_redacted_has_its_facts() -> None:
    assert PERSONAL.keys() == set(Redactable)


def test_what_says_the_same_as_a_redacted_value_is_hidden() -> None:
    assert hidden_facts(TEXTS, {Redactable.SENDER}) == {"sender.address"}
    assert hidden_facts(TEXTS, {Redactable.CLIENT_IP, Redactable.SUBJECT}) == {"client.ip", "subject"}


def test_a_field_of_the_header_may_say_anything() -> None:
    assert hidden_facts(["header.x-note", "spam.score"], {Redactable.SUBJECT}) == {"header.x-note"}
    assert hidden_facts(["header.x-note", "spam.score"], ()) == frozenset()
