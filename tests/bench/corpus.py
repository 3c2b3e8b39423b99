"""Letters as they come to a mail exchanger, signed with RSA-2048, and the zone of their domains."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.support.signing import handmade, rsa_key

DOMAINS = 20
CLIENTS = 1000  # addresses, 250 in a network; the load generator comes from these
PER_NETWORK = 250
POLICIES = ("none", "quarantine", "reject")
DATE = "Mon, 1 Jan 2024 00:00:00 +0000"
SIGNED = "from:to:subject:date:message-id:mime-version:content-type"

# How many letters there are of a kind, and the octets of their bodies, at least and at most.
KINDS: Mapping[str, tuple[int, int, int]] = {
    "small": (400, 1_500, 4_200),
    "large": (20, 300_000, 300_000),
    "huge": (2, 10_000_000, 10_000_000),
}


@dataclass(frozen=True, slots=True)
class Corpus:
    """Where the letters are, and the addresses they may come from: the thousand that follow `first`."""

    directory: Path
    first: str
    zone: str

    def index(self, kind: str) -> Path:
        """The list of letters that the load generator reads."""
        return self.directory / f"{kind}.index"


def make_corpus(directory: Path, first: str, kinds: Mapping[str, tuple[int, int, int]] = KINDS) -> Corpus:
    """`first` is A.B.C.0."""
    domains = [f"sender{number}.example" for number in range(DOMAINS)]
    for kind, (count, least, most) in kinds.items():
        (directory / kind).mkdir(parents=True)
        with (directory / f"{kind}.index").open("w") as index:
            for number in range(count):
                domain = domains[number % DOMAINS]
                path = directory / kind / f"{number}.eml"
                path.write_bytes(_letter(f"{kind}-{number}", domain, least, most))
                index.write(f"{path} {domain}\n")
    return Corpus(directory, first, "\n".join([*_clients(first), *_domains(first, domains), ""]))


def _letter(name: str, domain: str, least: int, most: int) -> bytes:
    pick = Random(name)
    header = (
        f"Received: from desk.{domain} ([10.0.0.1]) by mail.{domain} with ESMTP id 1; {DATE}\r\n"
        f"From: Ann <ann@{domain}>\r\nTo: Alice <alice@example.org>\r\nSubject: Minutes of {name}\r\n"
        f"Date: {DATE}\r\nMessage-ID: <{name}@{domain}>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    return handmade(header.encode() + _text(pick, pick.randint(least, most)), rsa_key(), d=domain, h=SIGNED)


def _text(pick: Random, size: int) -> bytes:
    words = ["".join(pick.choices("abcdefghijklmnopqrstuvwxyz", k=pick.randint(2, 9))) for _ in range(500)]
    lines = bytearray()
    while len(lines) < size:
        lines += " ".join(pick.choices(words, k=12)).encode() + b"\r\n"
    return bytes(lines)


def _clients(first: str) -> Iterator[str]:
    """Names of the addresses, there and back."""
    a, b, c, _ = map(int, first.split("."))
    for number in range(CLIENTS):
        third, fourth = c + number // PER_NETWORK, number % PER_NETWORK + 1
        yield f"client{number}.sender0.example. 3600 IN A {a}.{b}.{third}.{fourth}"
        yield f"{fourth}.{third}.{b}.{a}.in-addr.arpa. 3600 IN PTR client{number}.sender0.example."


def _domains(first: str, domains: Sequence[str]) -> Iterator[str]:
    network = ".".join([*first.split(".")[:2], "0.0/16"])
    text = rsa_key().record.decode()
    key = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
    for number, domain in enumerate(domains):
        yield f"{domain}. 3600 IN MX 10 mail.{domain}."
        yield f"{domain}. 3600 IN A 192.0.2.{number + 1}"
        yield f"mail.{domain}. 3600 IN A 192.0.2.{number + 1}"
        yield f'mail.{domain}. 3600 IN TXT "v=spf1 ip4:{network} -all"'
        yield f'{domain}. 3600 IN TXT "v=spf1 mx include:_spf.{domain} -all"'
        yield f'_spf.{domain}. 3600 IN TXT "v=spf1 ip4:198.51.100.0/24 ip4:{network} ~all"'
        yield f'_dmarc.{domain}. 3600 IN TXT "v=DMARC1; p={POLICIES[number % len(POLICIES)]}"'
        yield f"s1._domainkey.{domain}. 3600 IN TXT {key}"
