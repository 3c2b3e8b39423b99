"""The verdicts of docs/authentication.md, from the gateway as it runs: a process of its own, a real DNS server, signed
mail over SMTP, and the shipped rules."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.checks.dkim.status import TimeFault
from tests.support.documents import rows
from tests.support.gateway import PATIENCE, RunningGateway, dns_process, running_gateway
from tests.support.signing import ed25519_key, handmade

EVE, EVES_HOST = "eve@evil.example", "127.0.0.66"
ANN, ANNS_HOST = "ann@sender.example", "127.0.0.9"

# Without spamd every message would be tagged for that. The other rules tell of facts, and change nothing.
UNSCORED = '[[rule]]\nid = "unscored"\nenabled = false\n'
TELLING = """
[[rule]]
id   = "time-{fault}"
why  = "tells of the fact"
when = '"{fault}" in dkim.times'
then = "tag"
mode = "shadow"
"""
SITE_RULES = UNSCORED + "".join(TELLING.format(fault=fault) for fault in TimeFault)

FROM_TABLE = rows("authentication.md", "From", "`author.form`", "`author.domain`", "DMARC", "shipped rules", "action")

_from_re = re.compile(r"`(From:[^`]*)`")


def zone() -> str:
    """Of eve, who may use her own domain; of ann, whose domain asks for rejection; and of two that neither may use."""
    key = f'"{ed25519_key().record.decode()}"'
    return f"""
evil.example. 60 IN TXT "v=spf1 ip4:{EVES_HOST} -all"
_dmarc.evil.example. 60 IN TXT "v=DMARC1; p=none"
s1._domainkey.evil.example. 60 IN TXT {key}
66.0.0.127.in-addr.arpa. 60 IN PTR mail.evil.example.
mail.evil.example. 60 IN A {EVES_HOST}
sender.example. 60 IN TXT "v=spf1 ip4:{ANNS_HOST} -all"
_dmarc.sender.example. 60 IN TXT "v=DMARC1; p=reject"
s1._domainkey.sender.example. 60 IN TXT {key}
xn--bcher-kva.sender.example. 60 IN TXT "v=spf1 ip4:{ANNS_HOST} -all"
_dmarc.xn--bcher-kva.sender.example. 60 IN TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
s1._domainkey.xn--bcher-kva.sender.example. 60 IN TXT {key}
9.0.0.127.in-addr.arpa. 60 IN PTR mail.sender.example.
mail.sender.example. 60 IN A {ANNS_HOST}
bank.example. 60 IN TXT "v=spf1 -all"
_dmarc.bank.example. 60 IN TXT "v=DMARC1; p=reject"
_dmarc.xn--bcher-kva.example. 60 IN TXT "v=DMARC1; p=reject"
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    root = tmp_path_factory.mktemp("authentication")
    more = f'[route.default]\nhosts = ["maildir://{root}/mail"]\n'
    with (
        dns_process(root / "dns", zone()) as dns,
        running_gateway(root / "gateway", dns=dns, more=more, rules=SITE_RULES) as running,
    ):
        yield running


class Sent:
    """A message that was sent and taken: as it was delivered, and what the log says of it."""

    def __init__(self, gateway: RunningGateway, message: bytes, *, sender: str, source: str) -> None:
        marker = f"marker-{time.monotonic_ns()}"
        answer = gateway.send(message.replace(b"MARKER", marker.encode()), sender=sender, source=source)
        assert answer.code == 250, answer.text
        self.record = _record_of(gateway, marker)
        [self.mail] = [octets for octets in _delivered(gateway.root.parent) if marker.encode() in octets]
        header = self.mail.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
        [self.results] = [
            line.partition(b":")[2].decode()
            for line in header.split(b"\r\n")
            if line.startswith(b"Authentication-Results: mx.example.org;")
        ]

    @property
    def rules(self) -> set[str]:
        return {*self.record.get("rules", ()), *self.record.get("shadow", ())}

    def found(self, method: str) -> str:
        """The one result of a method, with its properties."""
        [result] = [one.strip() for one in self.results.split(";")[1:] if one.strip().startswith(f"{method}=")]
        return result


def _record_of(gateway: RunningGateway, marker: str) -> dict[str, object]:
    deadline = time.monotonic() + PATIENCE
    while True:
        found = [record for record in gateway.records() if marker in str(record.get("message_id", ""))]
        if found:
            return found[0]
        assert time.monotonic() < deadline, "the message is not in the log"
        time.sleep(0.02)


def _delivered(root: Path) -> list[bytes]:
    return [file.read_bytes() for file in (root / "mail").rglob("new/*")]


def letter(*author: str, body: str = "Hello.\r\n") -> bytes:
    header = [*author, "To: <alice@example.org>", "Subject: A letter", "Message-ID: <MARKER@sender.example>"]
    return ("\r\n".join(header) + "\r\n\r\n" + body).encode()


def by_eve(message: bytes) -> bytes:
    """Signed as eve can: every From field is covered, and the signature is good."""
    return handmade(message, ed25519_key(), d="evil.example", h="from:" * (message.count(b"From:") + 1) + "subject")


def by_ann(message: bytes, **tags: str) -> bytes:
    return handmade(message, ed25519_key(), **{"d": "sender.example", **tags})


@pytest.mark.parametrize("row", FROM_TABLE, ids=[row[0].replace("`", "") for row in FROM_TABLE])
def test_from_field_has_the_verdict_of_the_table(gateway: RunningGateway, row: tuple[str, ...]) -> None:
    written, _, _, dmarc, rules, action = row
    fields = _from_re.findall(written)
    assert fields or written == "no From field"
    sent = Sent(gateway, by_eve(letter(*fields)), sender=EVE, source=EVES_HOST)

    word, _, domain = dmarc.partition(" for ")
    assert sent.found("dmarc").startswith(f"dmarc={word}")
    assert (f"header.from={domain}" in sent.found("dmarc")) is bool(domain)
    assert sent.rules == set(filter(None, rules.replace("none", "").split(", ")))
    assert sent.record["action"] == action
    assert sent.found("spf").startswith("spf=pass")
    assert sent.found("dkim").startswith("dkim=pass")


@pytest.mark.parametrize("author", ["ann@bücher.sender.example", "Ann <ann@XN--BCHER-KVA.sender.example>"])
@pytest.mark.parametrize("signer", ["xn--bcher-kva.sender.example", "Bücher.sender.example"])
def test_domain_in_unicode_is_the_one_in_a_labels(gateway: RunningGateway, author: str, signer: str) -> None:
    """RFC 8616: the author domain, and d=, as U-labels and as A-labels; its record wants the very same domain."""
    message = by_ann(letter(f"From: {author}"), d=signer)
    sent = Sent(gateway, message, sender=ANN, source=ANNS_HOST)
    assert sent.found("dkim").startswith("dkim=pass")
    assert "header.d=xn--bcher-kva.sender.example" in sent.found("dkim")
    assert sent.found("dmarc").startswith("dmarc=pass")
    assert "header.from=xn--bcher-kva.sender.example" in sent.found("dmarc")
    assert sent.record["action"] == "accept"


class TestPartOfTheBody:
    """A message of ann's that signs its first octets only (l=), brought by eve."""

    FROM = "From: Ann <ann@sender.example>"

    def test_text_that_was_added_does_not_count_for_the_domain(self, gateway: RunningGateway) -> None:
        message = by_ann(letter(self.FROM), l="8") + b"Send money to eve.\r\n"
        sent = Sent(gateway, message, sender=EVE, source=EVES_HOST)
        assert "dkim=pass (256-bit key, 20 octets of the body are not signed)" in sent.results
        assert sent.found("dmarc").startswith("dmarc=fail")
        assert "header.from=sender.example policy.dmarc=reject" in sent.found("dmarc")
        assert sent.rules == {"dmarc-quarantine", "dkim-partial"}
        assert sent.record["action"] == "quarantine"

    def test_nothing_added_is_a_pass(self, gateway: RunningGateway) -> None:
        sent = Sent(gateway, by_ann(letter(self.FROM), l="8"), sender=EVE, source=EVES_HOST)
        assert sent.found("dmarc").startswith("dmarc=pass")
        assert (sent.rules, sent.record["action"]) == (set(), "accept")

    def test_domain_with_spf_of_its_own_still_passes_and_the_message_is_tagged(self, gateway: RunningGateway) -> None:
        message = by_ann(letter(self.FROM), l="0")
        sent = Sent(gateway, message, sender=ANN, source=ANNS_HOST)
        assert sent.found("dmarc").startswith("dmarc=pass")
        assert (sent.rules, sent.record["action"]) == ({"dkim-partial"}, "tag")


@pytest.mark.parametrize(
    ("added", "rule", "action"),
    [
        (b"Subject: Send money to eve\r\n", "field-repeated", "tag"),
        (b"Reply-To: eve@evil.example\r\n", "dkim-unsigned", "accept"),
        (b"Content-Type: text/html\r\n", "dkim-unsigned", "accept"),
    ],
)
def test_field_that_was_put_above_a_signature_is_noticed(
    gateway: RunningGateway, added: bytes, rule: str, action: str
) -> None:
    """Ann's message, brought by eve. The signature verifies as before, since it covers the lowest field of a name."""
    sent = Sent(gateway, added + by_ann(letter("From: ann@sender.example")), sender=EVE, source=EVES_HOST)
    assert sent.found("dmarc").startswith("dmarc=pass")
    assert rule in sent.rules
    assert sent.record["action"] == action


@pytest.mark.parametrize(
    ("signed", "expires", "word", "faults"),
    [
        (-60, 3600, "pass", set()),
        (-7200, -3600, "permerror", {"expired"}),
        (-60, -60, "permerror", {"reversed"}),
        (7200, 3600, "permerror", {"reversed"}),
        (7200, 14400, "pass", {"future"}),
    ],
)
def test_times_of_a_signature_are_judged_by_the_clock(
    gateway: RunningGateway, signed: int, expires: int, word: str, faults: set[str]
) -> None:
    """Ann's message, in eve's hands: with a signature that is no longer good it is not ann's."""
    now = int(time.time())
    message = by_ann(letter("From: ann@sender.example"), t=str(now + signed), x=str(now + expires))
    sent = Sent(gateway, message, sender=EVE, source=EVES_HOST)
    assert sent.found("dkim").startswith(f"dkim={word}")
    assert sent.found("dmarc").startswith("dmarc=pass" if word == "pass" else "dmarc=fail")
    assert {rule.removeprefix("time-") for rule in sent.rules if rule.startswith("time-")} == faults
    assert sent.record["action"] == ("accept" if word == "pass" else "quarantine")


def test_sha1_and_a_signature_of_another_domain_do_not_count(gateway: RunningGateway) -> None:
    for tags, word in (({"a": "rsa-sha1"}, "policy"), ({"d": "evil.example"}, "pass")):
        sent = Sent(gateway, by_ann(letter("From: ann@sender.example"), **tags), sender=EVE, source=EVES_HOST)
        assert sent.found("dkim").startswith(f"dkim={word}")
        assert sent.found("dmarc").startswith("dmarc=fail")


@pytest.mark.parametrize("author", ["From: service@bank.example", "From: Service, Bank <service@bank.example>"])
def test_refusal_names_the_domain_that_is_used_without_right(gateway: RunningGateway, author: str) -> None:
    """SPF fails besides, which p=reject alone does not."""
    answer = gateway.send(by_eve(letter(author)), sender="service@bank.example", source=EVES_HOST)
    assert answer.code == 550
    assert answer.text.startswith("5.7.26 unauthenticated mail from bank.example is refused")
