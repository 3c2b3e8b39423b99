"""Families of hostile input, each of any size, with what works on it and how long that may take at its full size.

tests/hostile/test_linear_time.py holds them to it, tests/bench/bench_hostile.py prints what they take.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

from gateway.author import find_author, message_facts
from gateway.authres.field import parse_value
from gateway.authres.scanner import MAX_SIZE
from gateway.authres.stamp import for_scanners, stamp
from gateway.checks.arc import ArcCheck, ArcSettings
from gateway.checks.base import Check, Subject, Unavailable
from gateway.checks.dkim import DkimCheck, DkimSettings
from gateway.checks.dkim.canonical import Canon
from gateway.checks.dkim.header import Header
from gateway.checks.dkim.key import parse_key
from gateway.checks.dkim.tags import parse_tags, unsigned
from gateway.checks.dmarc import DmarcCheck
from gateway.checks.dmarc.record import parse_record as parse_dmarc
from gateway.checks.iprev import IprevCheck
from gateway.checks.run import NO_ANSWERS, Wave, run_wave
from gateway.checks.spf import SpfCheck, SpfSettings
from gateway.checks.spf.macros import expand
from gateway.checks.spf.record import PermError
from gateway.checks.spf.record import parse_record as parse_spf
from gateway.config import Settings
from gateway.encodedwords import decode_words
from gateway.inspection import Inspector
from gateway.journey import Arrival, examine
from gateway.mailboxes import parse_mailboxes
from gateway.message import MAX_FIELDS, Content, Field, Message, by_name, split_fields
from gateway.mime.parameters import MAX_FIELD, file_names, text_of
from gateway.mime.structure import Structure
from tests.support.dnstable import Table, TableResolver
from tests.support.effort import MIB, OnLoop, Work
from tests.support.mailbytes import Bytes, message_of, subject_of
from tests.support.sealing import sealed
from tests.support.signing import handmade, rsa_key
from tests.support.spfcase import spf_subject

HEADER = b"From: ann@example.org\r\nTo: bob@example.net\r\nSubject: A letter\r\n"
ROOM = 1000  # octets of a header that are left for HEADER and the names of fields
FIELDS = MAX_FIELDS - 10
NOW = 1.7e9
PATIENCE = 20.0  # seconds; DNS answers at once here
ID = "mx.example.net"
BULK = 30 * MIB  # octets of a body
DEEP = ".".join("abcdef") + ".example.org"  # at as many levels a policy is looked for
KEY: Table = {("s1._domainkey.example.org", "TXT"): [rsa_key().record]}

SETTINGS = Settings.model_validate(
    {
        "hostname": ID,
        "domains": ["example.net"],
        "state_directory": "/nonexistent",
        "rules": {"shipped": False, "site": "/nonexistent", "lists": "/nonexistent"},
        "route": {"default": {"hosts": ["smtp://127.0.0.1:25"]}},
        "limits": {"header_size": MIB, "received": 10**6, "own_received": 10**6},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """`prepare(size)` makes the input and gives the work that is measured. `full` is the size for which `limit` is
    stated, in milliseconds of CPU time; `unit` is what the size counts."""

    name: str
    unit: str
    full: int
    limit: int
    prepare: Callable[[int], Work]


def filled(piece: bytes, size: int) -> bytes:
    return piece * (size // len(piece))


def numbered(piece: bytes, count: int) -> bytes:
    return b"".join(piece % number for number in range(count))


def whole(content: Content, table: Table = KEY) -> OnLoop:
    """The examination of a message by every check, from the final dot to the stamped message. No rules: they could
    refuse it before it is stamped."""
    parts = Inspector(SETTINGS, resolver=TableResolver(table, warm=True), clock=lambda: NOW).parts
    subject = spf_subject("192.0.2.1", "mail.example.org", "ann@example.org")
    arrival = Arrival(connection=subject.connection, envelope=subject.envelope, content=content, early=NO_ANSWERS)

    async def work() -> None:
        found = await examine(parts, arrival)
        assert found.stamped, "the message was refused"
        assert not [result for result in found.answers.results.values() if isinstance(result, Unavailable)]

    return OnLoop(work)


def asked(check: Check, subject: Subject) -> OnLoop:
    """As the journey asks it, which is first for what it knows."""
    wave = Wave((check,), PATIENCE)

    async def ask() -> None:
        answers = await run_wave(wave, subject)
        assert not isinstance(answers.results[check.name], Unavailable)

    return OnLoop(ask)


def refusable(parse: Callable[[Any], object], value: Any, refusal: type[Exception] = ValueError) -> Work:
    """A parser alone, without the limits that stand before it."""

    def work() -> None:
        with suppress(refusal):
            parse(value)

    return work


def dkim(octets: bytes, table: Table = KEY) -> Work:
    check = DkimCheck(DkimSettings(), resolver=TableResolver(table, warm=True), clock=lambda: NOW)
    return asked(check, subject_of(octets + HEADER + b"\r\nHi.\r\n"))


def arc(octets: bytes) -> Work:
    check = ArcCheck(ArcSettings(), resolver=TableResolver(KEY, warm=True), clock=lambda: NOW)
    return asked(check, subject_of(octets + HEADER + b"\r\nHi.\r\n"))


def dmarc(record: bytes) -> Work:
    """The policy is looked for at every level from DEEP up, and found too large or not clear at each."""
    labels = DEEP.split(".")
    names = [".".join(labels[cut:]) for cut in range(len(labels))]
    table: Table = {(f"_dmarc.{name}", "TXT"): [record] for name in names}
    check = DmarcCheck(TableResolver(table, warm=True), patience=PATIENCE)
    return asked(check, subject_of(b"From: ann@" + DEEP.encode() + b"\r\n\r\n"))


def spf(records: Mapping[str, Sequence[Any]]) -> Work:
    """`records` are of example.org, by type."""
    table: Table = {("example.org", rrtype): found for rrtype, found in records.items()}
    check = SpfCheck(SpfSettings(), resolver=TableResolver(table, warm=True))
    return asked(check, spf_subject("192.0.2.1", "example.org", "ann@example.org"))


def iprev(names: int) -> Work:
    table: Table = {("1.2.0.192.in-addr.arpa", "PTR"): [f"n{name}.example.org" for name in range(names)]}
    return asked(IprevCheck(TableResolver(table, warm=True)), spf_subject("192.0.2.1", "x", "a@b"))


def stamping(octets: bytes) -> Work:
    message = message_of(octets + b"\r\n")
    return lambda: for_scanners(stamp(message, authserv_id=ID, ours=()))


def signed_fields(count: int) -> Work:
    """As many fields, and as many names in h=, some of which find one."""
    header = Header(by_name(Field(name=f"x-{number % 7}", raw=b"X: y\r\n") for number in range(count)))
    names = [f"x-{number % 11}" for number in range(count)]
    signature = Field(name="dkim-signature", raw=b"DKIM-Signature: b=\r\n")
    return lambda: header.signed(names, Canon.SIMPLE, signature)


def reading(octets: bytes) -> Work:
    """What becomes facts of a message before any check is asked."""
    message: Message = message_of(octets + b"\r\n")
    return lambda: message_facts(message, find_author(message))


# The names are those of tests and of rows in docs/performance.md.

SIGNATURE = b"DKIM-Signature: v=1; a=rsa-sha256; d=d%d.example; s=s1; h=from; bh=AAAA; b=AAAA\r\n"
SEAL = b"ARC-Seal: i=%d; cv=pass; a=rsa-sha256; d=d.example; s=s1; b=AAAA\r\n"
RESULTS = b"ARC-Authentication-Results: i=%d; lists.example; dmarc=pass\r\n"


def sets(count: int) -> bytes:
    return b"".join(
        RESULTS % i + SIGNATURE.replace(b"DKIM", b"ARC-Message") % i + SEAL % i for i in range(1, count + 1)
    )


COUNTED = (
    Family(name="signatures", unit="fields", full=10_000, limit=100, prepare=lambda n: dkim(numbered(SIGNATURE, n))),
    Family(name="seals", unit="fields", full=10_000, limit=20, prepare=lambda n: arc(numbered(SEAL, n))),
    Family(name="ARC sets", unit="sets", full=10_000, limit=50, prepare=lambda n: arc(sets(n))),
    Family(name="ARC results", unit="fields", full=10_000, limit=20, prepare=lambda n: arc(numbered(RESULTS, n))),
    Family(
        name="forged results",
        unit="fields",
        full=10_000,
        limit=300,
        prepare=lambda n: stamping(numbered(b"Authentication-Results: (mx.example.%d; dmarc=pass\r\n", n)),
    ),
    Family(
        name="lines that are no field, to be stamped",
        unit="lines",
        full=10_000,
        limit=150,
        prepare=lambda n: stamping(b"\xff: x\r\n" * n),
    ),
    Family(
        name="From fields",
        unit="fields",
        full=10_000,
        limit=20,
        prepare=lambda n: reading(numbered(b"From: a@d%d.example\r\n", n)),
    ),
    Family(
        name="authors",
        unit="addresses",
        full=50_000,
        limit=5000,
        prepare=lambda n: refusable(parse_mailboxes, numbered(b"Ann <a%d@example.org>, ", n)),
    ),
    Family(
        name="names of signed fields",
        unit="names",
        full=50_000,
        limit=200,
        prepare=signed_fields,
    ),
    Family(
        name="tags of a signature",
        unit="tags",
        full=50_000,
        limit=20,
        prepare=lambda n: dkim(b"DKIM-Signature: v=1" + numbered(b"; t%d=x", n) + b"\r\n"),
    ),
    Family(
        name="tags of a signature, alone",
        unit="tags",
        full=50_000,
        limit=250,
        prepare=lambda n: refusable(lambda tags: parse_tags(unsigned(tags)), b"v=1" + numbered(b"; t%d=x", n)),
    ),
    Family(
        name="tags of a key",
        unit="tags",
        full=50_000,
        limit=20,
        prepare=lambda n: refusable(parse_key, b"v=DKIM1" + numbered(b"; t%d=x", n)),
    ),
    Family(
        name="tags of a policy",
        unit="tags",
        full=50_000,
        limit=20,
        prepare=lambda n: dmarc(b"v=DMARC1; p=none" + numbered(b"; t%d=x", n)),
    ),
    Family(
        name="tags of a policy, alone",
        unit="tags",
        full=50_000,
        limit=100,
        prepare=lambda n: refusable(parse_dmarc, b"v=DMARC1; p=none" + numbered(b"; t%d=x", n)),
    ),
    Family(
        name="terms of a sender's record",
        unit="terms",
        full=50_000,
        limit=20,
        prepare=lambda n: spf({"TXT": [b"v=spf1 " + numbered(b"ip4:10.0.0.%d ", n) + b"-all"]}),
    ),
    Family(
        name="terms of a sender's record, alone",
        unit="terms",
        full=50_000,
        limit=1000,
        prepare=lambda n: refusable(
            lambda text: parse_spf(text, 4), "v=spf1 " + "ip4:10.0.0.1 " * n + "-all", PermError
        ),
    ),
    Family(
        name="macros",
        unit="macros",
        full=50_000,
        limit=300,
        prepare=lambda n: refusable(lambda text: expand(text, lambda letter: "a.b.c"), "%{d2r}." * n + "example.org"),
    ),
    Family(name="TXT records", unit="records", full=5000, limit=20, prepare=lambda n: spf({"TXT": [b"x"] * n})),
    Family(
        name="exchanges",
        unit="records",
        full=5000,
        limit=20,
        prepare=lambda n: spf({"TXT": [b"v=spf1 mx -all"], "MX": [(1, f"m{name}.example.org") for name in range(n)]}),
    ),
    Family(name="names of a client", unit="records", full=5000, limit=20, prepare=iprev),
)


def one_field(name: str, piece: bytes, *, before: bytes = b"", after: bytes = b"", limit: int = 100) -> Family:
    """A header of a mebibyte in one field."""
    what = name.partition(":")[0].encode() + b": "

    def prepare(size: int) -> Work:
        value = before + filled(piece, size - ROOM) + after
        return whole(Bytes(what + value + b"\r\n" + HEADER + b"\r\nHi.\r\n"))

    return Family(name=name, unit="octets", full=MIB, limit=limit, prepare=prepare)


def many_fields(name: str, field: bytes, *, limit: int = 100) -> Family:
    """A header of as many fields as are taken, all of them together a mebibyte."""

    def prepare(size: int) -> Work:
        count = FIELDS * size // MIB
        filling = b"x" * ((size - ROOM) // count - len(field) - 2)
        return whole(Bytes((field + filling + b"\r\n") * count + HEADER + b"\r\nHi.\r\n"))

    return Family(name=name, unit="octets", full=MIB, limit=limit, prepare=prepare)


def all_signed(size: int) -> Work:
    """Ten signatures that cover the whole header, each with three keys that are not theirs."""
    large = b"X-Large: " + filled(b"a ", size - 10 * ROOM) + b"\r\n" + HEADER + b"\r\nHi.\r\n"
    signature, _, _ = handmade(large, rsa_key(), h="from:to:subject:x-large").partition(b"X-Large")
    others: Table = {("s1._domainkey.example.org", "TXT"): [rsa_key(1024).record] * 3}
    return whole(Bytes(signature * 10 + large), others)


HEADERS = (
    one_field("X-Plain: no line end", b"a"),
    one_field("X-Folded: a fold at every other octet", b"\r\n a"),
    one_field("X-Empty: white space", b"\r\n "),
    one_field("From: addresses", b"a@example.org, "),
    one_field("From: quoted strings", b'"a\\"b" ', after=b"<a@example.org>"),
    one_field("From: nested comments", b"(", after=b"a@example.org"),
    one_field("Subject: encoded words", b"=?utf-8?q?=41?= "),
    one_field("Subject: unknown charsets", b"=?x?q?=41?= "),
    one_field("Message-ID: words", b" a"),
    one_field("DKIM-Signature: empty tags", b"; "),
    one_field("ARC-Seal: white space", b" "),
    one_field("ARC-Authentication-Results: results", b"; a=b", before=b"i=1; x"),
    one_field("Authentication-Results: results", b"; a=b c.d=e", before=b"x"),
    one_field("Authentication-Results: comments", b"()", after=b"x; none", limit=200),
    one_field("Authentication-Results: nested comments", b"(", after=b" x; none", limit=200),
    one_field("Authentication-Results: comments in comments", b"(()", limit=500),
    one_field("Authentication-Results: quoted pairs", b"\\a", before=b'"', after=b'"; none', limit=500),
    one_field("Authentication-Results: semicolons", b";", limit=500),
    many_fields("fields of any name", b"X-Any: "),
    many_fields("lines that are no field", b"no field "),
    many_fields("signatures that fill a header", b"DKIM-Signature: v=1; d=example.org; s=s1; h=from; b="),
    many_fields("results of others", b"Authentication-Results: x; none ", limit=500),
    many_fields("results that are not clear", b"Authentication-Results: (=?utf-8?q?=41?= ", limit=500),
    many_fields("Received fields", b"Received: by mx.example.net (Mailward) "),
    Family(name="ten signatures of a whole header", unit="octets", full=MIB, limit=300, prepare=all_signed),
)


def hashed(body: bytes) -> bytes:
    """A message whose body is hashed in both canonical forms for DKIM, and once more for ARC."""
    signed = handmade(handmade(HEADER + b"\r\n", rsa_key(), c="simple/simple"), rsa_key())
    return sealed(signed, rsa_key(), domain="example.org") + body


def body(name: str, piece: bytes, *, end: bytes = b"", limit: int = 1500) -> Family:
    def prepare(size: int) -> Work:
        return whole(Bytes(hashed(filled(piece, size) + end)))

    return Family(name=name, unit="octets", full=BULK, limit=limit, prepare=prepare)


BODIES = (
    body("spaces", b" "),
    body("tabs", b"\t"),
    body("empty lines", b"\r\n"),
    body("no line end", b"a"),
    body("lines of white space", b" \r\n"),
    body("folded white space", b"\r\n "),
    body("white space behind each letter", b"a \t"),
    body("empty lines, then text", b"\r\n", end=b"text"),
    body("blocks of empty lines", b"\r\n" * 32767 + b"ab"),
    body("bare line feeds", b"\n"),
    body("bare carriage returns", b"\r"),
    body("line ends the wrong way round", b"\n\r"),
    body("line feeds among line ends", b"x\n" + b"\r\n" * 32767),
)


def field_value(name: str, piece: bytes, *, before: bytes = b"", limit: int = 20) -> Family:
    """A value of Authentication-Results as large as they are read, to its end or to where it is wrong."""

    def prepare(size: int) -> Work:
        value = before + filled(piece, size)
        return refusable(parse_value, value[:size])

    return Family(name=name, unit="octets", full=MAX_SIZE, limit=limit, prepare=prepare)


VALUES = (
    field_value("results", b"; a=b", before=b"mx", limit=300),
    field_value("properties", b" a.b=c", before=b"mx; dkim=pass", limit=300),
    field_value("addresses", b"a@b.", before=b"mx; dkim=pass a.b="),
    field_value("reasons", b'\\"', before=b'mx; dkim=pass reason="'),
    field_value("comments between words", b"(a)", before=b"mx; dkim=pass "),
    field_value("comments that do not end", b"(", before=b"mx; dkim=pass "),
    field_value("hyphens", b"a-", before=b"mx; "),
)


def alone(name: str, piece: bytes, work: Callable[[bytes], object]) -> Family:
    """A mebibyte of a piece that is dealt with before any limit on its size."""

    def prepare(size: int) -> Work:
        octets = filled(piece, size)
        return lambda: work(octets)

    return Family(name=f"{name} of {piece!r}", unit="octets", full=MIB, limit=100, prepare=prepare)


def canonical(value: bytes) -> bytes:
    field = Field(name="subject", raw=b"Subject:" + value + b"\r\n")
    return Header({field.name: [field]}).canonical(field, Canon.RELAXED)


ALONE = (
    *(alone("tag list", piece, unsigned) for piece in (b" ", b"\r\n ", b"; ", b";b ", b";b=", b"b =", b"=", b";a=b")),
    *(alone("signed field", piece, canonical) for piece in (b" ", b"\t", b"\r\n ", b"a ", b"a  ")),
    *(alone("header", piece, split_fields) for piece in (b" \r\n", b"\r", b":", b"a ", b"a" * 98 + b"\r\n")),
    *(alone("shown text", piece, decode_words) for piece in (b"=?", b"=?utf-8?q?", b"=?utf-8?q?a?= ", b"?=")),
)

MULTIPART = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"


def parts(name: str, piece: bytes, *, limit: int = 200) -> Family:
    """A multipart body of a piece, in which parts are looked for."""

    def prepare(size: int) -> Work:
        message = message_of(MULTIPART + filled(piece, size))

        def work() -> None:
            structure = Structure(message.fields)
            for chunk in message.body():
                structure.feed(chunk)
            structure.outline()

        return work

    return Family(name=f"parts in {name}", unit="octets", full=BULK, limit=limit, prepare=prepare)


def names(piece: bytes) -> Family:
    """A field that names a file, as long as they are read."""

    def prepare(size: int) -> Work:
        text = text_of(b"a; " + filled(piece, size))
        return lambda: file_names(text, "name")

    return Family(name=f"file names of {piece!r}", unit="octets", full=MAX_FIELD, limit=100, prepare=prepare)


STRUCTURES = (
    parts("base64", b"x" * 76 + b"\r\n"),
    parts("one line", b"x"),
    parts("dashes", b"--\n"),
    parts("delimiters", b"--b\r\n\r\n"),
    parts("headers", b"--b\r\n" + b"A:\r\n" * 1000),
    *map(names, (b'"', b"(", b"name*0=a;", b"name*=a'b'%41;", b"\\", b"name==?utf-8?q?a?=;", b";name=(a)")),
)

GROUPS: Mapping[str, Sequence[Family]] = {
    "many of one kind": COUNTED,
    "a header of 1 MiB": HEADERS,
    "a body of 30 MiB": BODIES,
    "a value of 16 KiB": VALUES,
    "1 MiB before any limit": ALONE,
    "the structure of a message": STRUCTURES,
}
FAMILIES = {family.name: family for family in chain(*GROUPS.values())}


def prepared(name: str, size: int) -> Work:
    """The work of the family of that name, for a child process: it can be told names, and no functions."""
    return FAMILIES[name].prepare(size)
