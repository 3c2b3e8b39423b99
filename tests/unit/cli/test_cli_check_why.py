"""mailward check shows why: what matched, the keys and what they cover, the walk and what is aligned."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.config import DEFAULT_PATH
from tests.support.gateway import dns_process
from tests.support.sealing import sealed
from tests.support.signing import SigningKey, ed25519_key, handmade, rsa_key

CLIENT = "192.0.2.7"
NOW = 1_700_000_000
LETTER = (
    b"From: Ann <ann@news.sender.example>\r\nTo: alice@example.org\r\nSubject: A letter\r\n"
    b"Date: Tue, 14 Nov 2023 22:00:00 +0000\r\n\r\nDear Alice,\r\n"
)


def quoted(text: bytes) -> str:
    return " ".join(f'"{text[start : start + 200].decode()}"' for start in range(0, len(text), 200))


def record(tags: str, key: SigningKey) -> str:
    return quoted(f"{tags}; p={key.public}".encode())


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    zone = f"""
sender.example. 60 IN TXT "v=spf1 mx include:_spf.sender.example -all"
sender.example. 60 IN MX 10 mx.sender.example.
_spf.sender.example. 60 IN TXT "v=spf1 ip4:198.51.100.0/24 include:_spf.provider.example ~all"
_spf.provider.example. 60 IN TXT "v=spf1 ip4:192.0.2.0/28 ~all"
open.example. 60 IN TXT "v=spf1 ip4:203.0.113.1"
moved.example. 60 IN TXT "v=spf1 redirect=_%{{d2}}.open.example"
_moved.example.open.example. 60 IN TXT "v=spf1 ip4:203.0.113.1"
macro.example. 60 IN TXT "v=spf1 include:_%{{d2}}.open.example -all"
_macro.example.open.example. 60 IN TXT "v=spf1 ip4:192.0.2.7 -all"
two.example. 60 IN TXT "v=spf1 -all"
two.example. 60 IN TXT "v=spf1 +all"
broken.example. 60 IN TXT "v=spf1 include:typo.example -all"
typo.example. 60 IN TXT "v=spf1 ip4:192.0.2.300 -all"
_dmarc.sender.example. 60 IN TXT "v=DMARC1; p=reject; sp=quarantine"
_dmarc.own.sender.example. 60 IN TXT "v=DMARC1; p=none; psd=n"
s1._domainkey.sender.example. 60 IN TXT {quoted(rsa_key().record)}
s2._domainkey.own.sender.example. 60 IN TXT {record("v=DKIM1; k=ed25519; t=y:s", ed25519_key())}
s3._domainkey.sender.example. 60 IN TXT "v=DKIM1; p="
s1._domainkey.lists.example. 60 IN TXT {quoted(rsa_key().record)}
"""
    with dns_process(tmp_path_factory.mktemp("dns"), zone) as address:
        yield address


@pytest.fixture(autouse=True)
def _without_configuration() -> None:
    if DEFAULT_PATH.exists():
        pytest.skip(f"{DEFAULT_PATH} is there, and would be used")


class Checked:
    """What the command shows of a message, and what it says in JSON."""

    def __init__(self, capsys: pytest.CaptureFixture[str], file: Path, dns: str) -> None:
        self._capsys = capsys
        self._file = file
        self._dns = dns

    def lines(self, octets: bytes, *, sender: str = "ann@sender.example", more: tuple[str, ...] = ()) -> list[str]:
        self._file.write_bytes(octets)
        given = ("--ip", CLIENT, "--helo", "mail.sender.example", "--from", sender, "--dns", self._dns)
        assert main(["check", str(self._file), *given, "--now", str(NOW), *more]) == 0
        return self._capsys.readouterr().out.splitlines()

    def json(self, octets: bytes, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads("\n".join(self.lines(octets, more=("--json",), **more)))
        return found

    def of(self, check: str, octets: bytes, **more: Any) -> list[str]:
        """The lines of one check, without its name and its duration."""
        lines = iter(self.lines(octets, **more))
        first = next(line for line in lines if line.startswith(check))
        below = []
        for line in lines:
            if not line.startswith(" "):
                break
            below.append(" ".join(line.split()))
        return [" ".join(first.split()[1:-2]), *below]


@pytest.fixture
def checked(capsys: pytest.CaptureFixture[str], tmp_path: Path, dns: str) -> Checked:
    return Checked(capsys, tmp_path / "letter.eml", dns)


def test_spf_shows_the_way_to_the_mechanism_that_matched_and_the_lookups(checked: Checked) -> None:
    assert checked.of("spf", LETTER) == [
        "pass mailfrom sender.example",
        "mailfrom pass: sender.example -> include:_spf.sender.example -> include:_spf.provider.example"
        " -> ip4:192.0.2.0/28",
        "3 of 10 lookups, 1 of 2 without an answer",
        "helo none: mail.sender.example has no SPF record",
    ]


@pytest.mark.parametrize(
    ("sender", "told"),
    [
        ("ann@open.example", "neutral: open.example -> no term matched"),
        (
            "ann@moved.example",
            "neutral: moved.example -> redirect=_%{d2}.open.example -> no term matched",
        ),
        (
            "ann@macro.example",
            "pass: macro.example -> include:_%{d2}.open.example (_macro.example.open.example) -> ip4:192.0.2.7",
        ),
        ("ann@two.example", "permerror: two.example: there is more than one SPF record: two.example"),
        ("ann@nothing.example", "none: nothing.example has no SPF record"),
        ("ann@localhost", 'none: "localhost" is no name that could have a record'),
        ("ann@[192.0.2.7]", "none: it is not of a domain name that could have a record"),
    ],
)
def test_spf_shows_what_there_is_to_show(checked: Checked, sender: str, told: str) -> None:
    assert checked.of("spf", LETTER, sender=sender)[1] == f"mailfrom {told}"


def test_spf_tells_an_address_literal_from_the_null_reverse_path(checked: Checked) -> None:
    assert checked.of("spf", LETTER, sender="ann@[192.0.2.7]")[0] == "none mailfrom without a domain name"


def test_spf_shows_where_an_error_is(checked: Checked) -> None:
    assert checked.of("spf", LETTER, sender="ann@broken.example")[:2] == [
        "permerror mailfrom broken.example",
        "mailfrom permerror: broken.example -> include:typo.example: Invalid IP4 address: ip4:192.0.2.300",
    ]


def test_dkim_shows_each_signature_with_its_key_and_what_was_signed(checked: Checked) -> None:
    octets = handmade(
        LETTER, rsa_key(), d="sender.example", h="from:from:to:subject:reply-to", l="4", t=str(NOW - 7200)
    )
    octets = handmade(octets, ed25519_key(), d="own.sender.example", s="s2", i="ann@own.sender.example")
    octets = handmade(octets, rsa_key(), d="sender.example", s="s3", x=str(NOW + 5))
    octets = handmade(octets, rsa_key(), d="sender.example", x=str(NOW - 86400), t=str(NOW - 864000))
    octets = handmade(octets, rsa_key(), d="gone.example")
    assert checked.of("dkim", octets) == [
        "pass 5 signatures",
        "permerror d=gone.example s=s1 a=rsa-sha256: there is no key for it",
        "key none at s1._domainkey.gone.example (nxdomain)",
        "signs from, to, subject (relaxed)",
        "body the whole, 13 octets (relaxed)",
        "permerror d=sender.example s=s1 a=rsa-sha256: it has expired (x=)",
        "key not looked up at s1._domainkey.sender.example",
        "signs from, to, subject (relaxed)",
        "body the whole (relaxed)",
        "times made 2023-11-04 22:13:20 UTC (10 days ago), valid until 2023-11-13 22:13:20 UTC (24 hours ago)",
        "permerror d=sender.example s=s3 a=rsa-sha256: the key has been revoked",
        'key unusable at s3._domainkey.sender.example: "v=DKIM1; p="',
        "signs from, to, subject (relaxed)",
        "body the whole, 13 octets (relaxed)",
        "times valid until 2023-11-14 22:13:25 UTC (in 5 seconds)",
        "pass d=own.sender.example s=s2 i=ann@own.sender.example a=ed25519-sha256",
        "key ed25519, 256 bits, testing (t=y), for no subdomain in i= (t=s), at s2._domainkey.own.sender.example",
        "signs from, to, subject (relaxed)",
        "body the whole, 13 octets (relaxed)",
        "pass d=sender.example s=s1 a=rsa-sha256",
        "key rsa, 2048 bits, at s1._domainkey.sender.example",
        "signs from, to, subject, no further from, no reply-to (relaxed)",
        "body the first 4 of 13 octets (l=), 9 are not signed (relaxed)",
        "times made 2023-11-14 20:13:20 UTC (2 hours ago)",
    ]


def test_dkim_shows_both_hashes_of_a_changed_body(checked: Checked) -> None:
    original = handmade(LETTER, rsa_key(), d="sender.example")
    whole = checked.json(original)["dkim"][0]["covers"]["body_hash"]
    lines = checked.of("dkim", original.replace(b"Dear", b"Deer"))
    [hashes] = [line for line in lines if "bh=" in line]
    assert hashes.startswith(f"bh= is {whole}, the body has ")
    assert not hashes.endswith(whole)


def test_arc_shows_each_set_and_why_nobody_is_trusted(checked: Checked) -> None:
    octets = sealed(sealed(LETTER, rsa_key(), domain="lists.example"), rsa_key(), domain="sender.example")
    found = "dmarc=pass header.from=example.org"
    assert checked.of("arc", octets) == [
        "pass 2 sets",
        "i=1 lists.example (s=s1) cv=none; seal pass; message signature pass",
        f"found i=1; lists.example; {found}",
        "key rsa, 2048 bits, at s1._domainkey.lists.example",
        "signs from, to, subject (relaxed)",
        "body the whole, 13 octets (relaxed)",
        "i=2 sender.example (s=s1) cv=pass; seal pass; message signature pass",
        f"found i=2; sender.example; {found}",
        "key rsa, 2048 bits, at s1._domainkey.sender.example",
        "signs from, to, subject (relaxed)",
        "body the whole, 13 octets (relaxed)",
        "trusted no: sender.example is not among trusted_sealers",
    ]
    broken = checked.of("arc", octets.replace(b"Dear", b"Deer"))
    assert broken[0] == "fail 2 sets: the body hash did not verify"
    assert "message signature fail: the body hash did not verify" in broken[3]
    assert [line.partition(" ")[0] for line in broken[5:-1]] == ["key", "signs", "body", "bh="]
    assert broken[-1] == "trusted no: the chain does not pass"


def test_dmarc_shows_the_walk_the_record_and_what_is_aligned(checked: Checked) -> None:
    octets = handmade(LETTER, ed25519_key(), d="own.sender.example", s="s2")
    octets = handmade(octets, rsa_key(), d="gone.example")
    assert checked.of("dmarc", octets) == [
        "pass news.sender.example asks for quarantine",
        "walk _dmarc.news.sender.example: none (nxdomain)",
        "_dmarc.sender.example: v=DMARC1; p=reject; sp=quarantine",
        "_dmarc.example: none (nxdomain)",
        "record of sender.example, as it is used: p=reject sp=quarantine np=quarantine adkim=r aspf=r t=n psd=u",
        "decided by sp=quarantine",
        "domain sender.example is the organizational domain",
        "spf sender.example pass, aligned (relaxed): of the same organizational domain",
        "dkim gone.example permerror, not aligned (relaxed): of another organizational domain",
        "dkim own.sender.example pass, not aligned (relaxed): of another organizational domain",
    ]


def test_what_is_not_the_case_is_not_shown(checked: Checked) -> None:
    assert checked.of("spam", LETTER) == ["skipped reason=no spamd is configured"]


def test_thousands_of_signed_names_are_counted(checked: Checked) -> None:
    names = ":".join(["from", "to", "subject", *(f"x-{number}" for number in range(1500))])
    [signs] = [line for line in checked.of("dkim", handmade(LETTER, rsa_key(), h=names)) if line.startswith("signs")]
    assert signs.startswith("signs from, to, subject, no x-0, ")
    assert signs.endswith(", no x-39 and 1460 more (relaxed)")


def test_the_same_stands_in_the_json(checked: Checked) -> None:
    octets = handmade(LETTER, rsa_key(), d="sender.example", l="4")
    found = checked.json(octets)
    mailfrom, helo = found["spf"]["checked"]
    assert [step["term"] for step in mailfrom["trail"]] == [
        "include:_spf.sender.example",
        "include:_spf.provider.example",
        "ip4:192.0.2.0/28",
    ]
    assert (mailfrom["lookups"], mailfrom["void_lookups"], helo["result"]) == (3, 1, "none")
    [signature] = found["dkim"]
    assert signature["key"]["bits"] == 2048
    assert signature["covers"]["fields"] == ["from", "to", "subject"]
    assert (signature["covers"]["length"], signature["covers"]["body_octets"]) == (4, 13)
    assert found["arc"]["sets"] == []
    assert [step["found"] for step in found["dmarc"]["walk"]] == ["none", "record", "none"]
    assert found["dmarc"]["record"]["decided_by"] == "sp"
    assert [(one["mechanism"], one["aligned"]) for one in found["dmarc"]["identifiers"]] == [
        ("spf", True),
        ("dkim", False),
    ]
    assert found["facts"]["dkim.failures"] == []
    assert found["facts"]["spf.mechanism"] == "ip4:192.0.2.0/28"


def test_what_could_not_be_looked_up_is_told_with_its_place(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    zone = 'sender.example. 60 IN TXT "v=spf1 include:_spf.sender.example -all"\n'
    faults = ("_spf.sender.example", "_dmarc.sender.example", "s1._domainkey.sender.example")
    with dns_process(tmp_path, zone, *(f"{name}=servfail" for name in faults)) as address:
        checked = Checked(capsys, tmp_path / "letter.eml", address)
        octets = handmade(LETTER, rsa_key(), d="sender.example")
        way = "sender.example -> include:_spf.sender.example"
        assert checked.of("spf", octets)[1] == (
            f"mailfrom temperror: {way}: TXT lookup of _spf.sender.example: servfail"
        )
        assert checked.of("dkim", octets)[1:3] == [
            "temperror d=sender.example s=s1 a=rsa-sha256: its key could not be looked up",
            "key not known at s1._domainkey.sender.example (servfail)",
        ]
        assert checked.of("dmarc", octets)[1:] == [
            "walk _dmarc.news.sender.example: none (nxdomain)",
            "_dmarc.sender.example: could not be looked up (servfail)",
            "_dmarc.example: none (nxdomain)",
        ]
