"""mailward check: one message or thousands, without a session, a delivery or a configuration."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.config import DEFAULT_PATH
from tests.support.gateway import dns_process
from tests.support.mailbytes import message_of
from tests.support.sealing import pem, sealed
from tests.support.signing import rsa_key, signed

CLIENT = "192.0.2.7"
LETTER = (
    b"From: Ann <ann@sender.example>\r\nTo: alice@example.org\r\nSubject: A letter\r\n"
    b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\nDear Alice,\r\n"
)
ENVELOPE = ("--ip", CLIENT, "--helo", "mail.sender.example", "--from", "ann@sender.example")

SHAPES = {
    "spf": {"result", "identity", "domain"},
    "arc": {"result", "chain_length", "sealer"},
    "dmarc": {"result", "policy", "domain", "from_domain"},
    "iprev": {"result"},
    "spam": {"score", "required", "symbols"},
    "verdict": {"action", "reply", "rules"},
}  # what must be there, at least


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    key = rsa_key().record.decode()
    quoted = " ".join(f'"{key[start : start + 200]}"' for start in range(0, len(key), 200))
    zone = f"""
sender.example. 60 IN TXT "v=spf1 ip4:{CLIENT} -all"
_dmarc.sender.example. 60 IN TXT "v=DMARC1; p=reject"
s1._domainkey.sender.example. 60 IN TXT {quoted}
7.2.0.192.in-addr.arpa. 60 IN PTR mail.sender.example.
mail.sender.example. 60 IN A {CLIENT}
"""
    with dns_process(tmp_path_factory.mktemp("dns"), zone) as address:
        yield address


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    file = tmp_path / "letter.eml"
    file.write_bytes(signed(LETTER, rsa_key(), domain="sender.example"))
    return file


@pytest.fixture(autouse=True)
def _without_configuration() -> None:
    if DEFAULT_PATH.exists():
        pytest.skip(f"{DEFAULT_PATH} is there, and would be used")


def check(*arguments: object) -> int:
    """The exit status, also where the command line is wrong."""
    try:
        return main(["check", *map(str, arguments)])
    except SystemExit as ended:
        return int(str(ended.code))


def found(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert check(*arguments, "--json") == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_the_json_has_every_key_and_the_words_of_rfc_8601(
    letter: Path, dns: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = found(capsys, letter, *ENVELOPE, "--rcpt", "alice@example.org", "--dns", dns)
    assert set(result) == {*SHAPES, "dkim", "facts", "refused", "authentication_results", "milliseconds"}
    for key, least in SHAPES.items():
        assert least <= result[key].keys(), key
    assert [result[check]["result"] for check in ("iprev", "spf", "arc", "dmarc")] == ["pass", "pass", "none", "pass"]
    assert (result["spf"]["identity"], result["spf"]["domain"]) == ("mailfrom", "sender.example")
    [signature] = result["dkim"]
    assert {"result": "pass", "domain": "sender.example", "selector": "s1"}.items() <= signature.items()
    assert "reason" in signature
    assert (result["dmarc"]["policy"], result["dmarc"]["from_domain"]) == ("reject", "sender.example")
    assert result["facts"]["client.ip"] == CLIENT
    assert result["facts"]["recipients"] == ["alice@example.org"]
    assert result["authentication_results"].startswith("localhost; ")
    assert "dkim=pass" in result["authentication_results"]
    assert set(result["milliseconds"]) == {"iprev", "spf", "dkim", "arc", "dmarc", "spam"}
    assert result["verdict"]["rules"] == ["unscored"]


def test_the_facts_of_a_message_that_is_refused_unread_are_what_was_known(
    tmp_path: Path, dns: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "loop.eml"
    file.write_bytes(b"Received: by a; b\r\n" * 101 + LETTER)
    result = found(capsys, file, *ENVELOPE, "--dns", dns)
    assert result["verdict"]["action"] == "reject"
    assert result["verdict"]["reply"].startswith("554 5.4.6 ")
    assert result["facts"]["spf.result"] == "pass"
    assert result["facts"]["author.address"] == "ann@sender.example"
    assert [result[name] for name in ("dkim", "arc", "dmarc", "spam")] == [None] * 4


def test_the_table_shows_checks_rules_and_the_verdict(
    letter: Path, dns: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(letter, "--ip", "192.0.2.66", "--from", "ann@sender.example", "--dns", dns) == 0
    shown = capsys.readouterr().out
    lines = {line.split()[0]: line for line in reversed(shown.splitlines()) if line.strip()}
    assert " fail " in lines["spf"]
    assert " pass " in lines["dkim"]
    assert "unscored: tag" in shown
    assert "yes spam.result in ('unavailable', 'skipped')  (spam.result is 'skipped')" in shown.replace('"', "'")
    assert lines["verdict"].split() == ["verdict", "tag"]
    assert "\x1b" not in shown


def test_what_a_sender_wrote_does_not_drive_the_terminal(
    tmp_path: Path, dns: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "hostile.eml"
    escape = b"\x1b]0;owned\x07\x1b[2J\x9b2J"
    file.write_bytes(
        b"DKIM-Signature: v=1; a=rsa-sha256; d=a" + escape + b"; s=" + escape + b"; h=from; bh=x; b=x\r\n"
        b"From: " + escape + b"@a.example\r\nSubject: [bold]" + escape + b"\r\n\r\n"
    )
    assert check(file, "--ip", "192.0.2.66", "--helo", "\x1b[2J", "--dns", dns) == 0
    assert not {"\x1b", "\x07", "\x9b"} & set(capsys.readouterr().out)


def test_the_stamped_message_is_the_original_below_our_fields(
    letter: Path, dns: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    original = letter.read_bytes()
    letter.write_bytes(b"Authentication-Results: localhost; spf=pass\r\nX-Spam-Flag: NO\r\n" + original)
    assert check(letter, *ENVELOPE, "--dns", dns, "--stamped") == 0
    stamped = capfdbinary.readouterr().out
    assert stamped.endswith(original)
    ours = stamped[: -len(original)]
    names = [line.partition(b":")[0] for line in ours.split(b"\r\n") if line and not line.startswith(b" ")]
    assert names == [b"X-Mailward-Tag", b"X-Mailward-Unscored", b"Authentication-Results", b"Received"]
    assert b"dkim=pass" in ours


def sealing_config(directory: Path) -> Path:
    """A configuration that seals, with its key beside it."""
    (directory / "arc.pem").write_bytes(pem(rsa_key()))
    (directory / "arc.pem").chmod(0o600)
    config = directory / "mailward.toml"
    config.write_text(
        'hostname = "mx.example.org"\ndomains = ["example.org"]\n[route.default]\nhosts = ["maildir:///nowhere"]\n'
        f'[arc.seal]\ndomain = "sender.example"\nselector = "s1"\nkey = "{directory / "arc.pem"}"\n'
    )
    return config


def test_the_stamped_message_is_sealed_if_the_gateway_seals(
    letter: Path, dns: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    sealing = ("--config", sealing_config(tmp_path))
    assert check(letter, *ENVELOPE, "--dns", dns, "--stamped", *sealing) == 0
    stamped = capfdbinary.readouterr().out
    assert message_of(stamped).fields[0].name == "arc-seal"
    letter.write_bytes(stamped)
    assert check(letter, *ENVELOPE, "--dns", dns, "--json") == 0
    arc = json.loads(capfdbinary.readouterr().out)["arc"]
    assert (arc["result"], arc["sealers"]) == ("pass", ["sender.example"])


def test_a_message_is_examined_without_the_key_that_others_may_not_read(
    letter: Path, dns: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    config = sealing_config(tmp_path)
    (tmp_path / "arc.pem").unlink()
    assert check(letter, *ENVELOPE, "--dns", dns, "--stamped", "--config", config) == 0
    shown = capfdbinary.readouterr()
    assert b"ARC-" not in shown.out
    assert shown.err.startswith(b"mailward check: the message is not sealed: ")


def test_an_override_of_dmarc_is_shown(letter: Path, dns: str, capsys: pytest.CaptureFixture[str]) -> None:
    letter.write_bytes(LETTER)  # not signed, and from elsewhere
    elsewhere = ("--ip", "192.0.2.66", "--helo", "x.example", "--from", "bob@x.example", "--dns", dns)
    verdict = found(capsys, letter, *elsewhere)["verdict"]
    assert (verdict["action"], verdict["dmarc_override"]) == ("quarantine", "local_policy")
    assert found(capsys, letter, *ENVELOPE, "--dns", dns)["verdict"]["dmarc_override"] == ""


def test_a_message_that_is_refused_has_no_stamped_form(
    tmp_path: Path, dns: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "loop.eml"
    file.write_bytes(b"Received: by a; b\r\n" * 101 + LETTER)
    assert check(file, *ENVELOPE, "--dns", dns, "--stamped") == 1
    assert "refused before it was stamped: 554 5.4.6" in capsys.readouterr().err


def test_line_ends_of_a_file_become_those_of_mail(letter: Path, dns: str, capsys: pytest.CaptureFixture[str]) -> None:
    letter.write_bytes(letter.read_bytes().replace(b"\r\n", b"\n"))
    assert [entry["result"] for entry in found(capsys, letter, *ENVELOPE, "--dns", dns)["dkim"]] == ["pass"]


def test_standard_input_is_a_message(
    dns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LETTER)))
    assert found(capsys, "-", *ENVELOPE, "--dns", dns)["facts"]["subject"] == "A letter"


def test_signatures_are_judged_by_the_time_that_is_given(
    letter: Path, dns: str, capsys: pytest.CaptureFixture[str]
) -> None:
    letter.write_bytes(sealed(LETTER, rsa_key(), domain="sender.example", x="1600000000"))
    before, after = (
        found(capsys, letter, *ENVELOPE, "--dns", dns, "--now", now) for now in ("1500000000", "1700000000")
    )
    assert [result["arc"]["result"] for result in (before, after)] == ["pass", "fail"]
    assert check(letter, *ENVELOPE, "--dns", dns, "--now", "1500000000", "--stamped") == 0
    assert " Fri, 14 Jul 2017 02:40:00 +0000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "FILE and --ip are needed, or --batch"),
        (["{letter}"], "FILE and --ip are needed, or --batch"),
        (["{letter}", "--ip", "192.0.2.1", "--batch"], "FILE and --ip are needed, or --batch"),
        (["{letter}", "--ip", "nowhere"], "argument --ip: nowhere is no IPv4 or IPv6 address"),
        (["/nonexistent", "--ip", "192.0.2.1"], "mailward check: /nonexistent: No such file or directory"),
        (["/", "--ip", "192.0.2.1"], "mailward check: /: Is a directory"),
        (["{letter}", "--ip", "192.0.2.1", "--from", "nobody"], '"nobody": the path is not a mailbox of the form'),
        (["{letter}", "--ip", "192.0.2.1", "--rcpt", "a b@x.example"], '"a b@x.example": the path is not a mailbox'),
        (["{letter}", "--ip", "192.0.2.1", "--now", "today"], "today is no number of seconds since 1970"),
        (["{letter}", "--ip", "192.0.2.1", "--now", "1e30"], "1e30 is no number of seconds since 1970"),
        (["{letter}", "--ip", "192.0.2.1", "--now", "nan"], "nan is no number of seconds since 1970"),
        (
            ["{letter}", "--ip", "192.0.2.1", "--dns", "x"],
            'argument --dns: "x" is not an address or ADDRESS:PORT; a name could not be looked up',
        ),
        (["{letter}", "--ip", "192.0.2.1", "--json", "--stamped"], "not allowed with argument --json"),
        (["{letter}", "--ip", "192.0.2.1", "--config", "/nonexistent"], "/nonexistent:1:1: cannot be read"),
    ],
)
def test_a_wrong_command_line_is_told(
    letter: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(*(argument.format(letter=letter) for argument in arguments)) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.out == ""


def batch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], dns: str, *lines: bytes
) -> list[dict[str, Any]]:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"".join(line + b"\n" for line in lines))))
    assert check("--batch", "--dns", dns) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def case(file: Path, **more: Any) -> bytes:
    given = {"file": str(file), "ip": CLIENT, "helo": "mail.sender.example", "mail_from": "ann@sender.example"}
    return json.dumps(given | more).encode()


WIRE = LETTER + b"more\r\n"


@pytest.mark.parametrize(
    ("octets", "what", "reply"),
    [
        (WIRE + b"a\0b\r\n", "an octet of zero", "554 5.6.11 Message refused: it has a NUL octet"),
        (WIRE + b"a\nb\r\n", "a CR or an LF", "554 5.6.11 Message refused: it has a CR or an LF without the other"),
        (WIRE + b"a\rb\r\n", "a CR or an LF", "554 5.6.11 "),
        (WIRE.replace(b"\r\n", b"\n") + b"a\rb\n", "a CR or an LF", "554 5.6.11 "),
        (WIRE + b"x" * 70_000, "a line above the limit", "554 5.6.11 Message refused: it has a line that is too long"),
    ],
    ids=["NUL", "bare LF", "bare CR", "bare CR in a file with LF", "long line"],
)
def test_what_the_session_would_refuse_is_told_and_examined_nonetheless(
    tmp_path: Path, dns: str, capsys: pytest.CaptureFixture[str], octets: bytes, what: str, reply: str
) -> None:
    file = tmp_path / "refused.eml"
    file.write_bytes(octets)
    result = found(capsys, file, *ENVELOPE, "--dns", dns)
    [refusal] = result["refused"]
    assert refusal["at"] == "DATA"
    assert refusal["what"].startswith(what)
    assert refusal["reply"].startswith(reply)
    assert result["facts"]["subject"] == "A letter"
    assert check(file, *ENVELOPE, "--dns", dns) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("refused")]
    assert line.startswith(f"refused  at DATA, for {what}")
    assert reply in line


@pytest.mark.parametrize("octets", [WIRE, WIRE.replace(b"\r\n", b"\n"), WIRE.removesuffix(b"\r\n"), b"\n", b""])
def test_what_the_session_would_take_is_not_told(
    tmp_path: Path, dns: str, capsys: pytest.CaptureFixture[str], octets: bytes
) -> None:
    file = tmp_path / "taken.eml"
    file.write_bytes(octets)
    assert found(capsys, file, *ENVELOPE, "--rcpt", "alice@anywhere.example", "--dns", dns)["refused"] == []


def configuration(root: Path, dns: str, more: str = "") -> Path:
    """A configuration of which nothing matters but what is given; its rules of the site are in rules.d."""
    (root / "rules.d").mkdir()
    config = root / "mailward.toml"
    config.write_text(f"""
hostname = "mx.example.org"
domains = ["example.org", "example.net"]
[dns]
servers = ["{dns}"]
[rules]
site = "{root}/rules.d"
lists = "{root}/lists"
[route.default]
hosts = ["maildir:///nowhere"]
{more}
""")
    return config


def test_a_message_that_is_too_large_is_told(
    letter: Path, dns: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configuration(tmp_path, dns, "[session]\nmax_size = 65536")
    letter.write_bytes(WIRE + b"x\r\n" * 30_000)
    [refusal] = found(capsys, letter, *ENVELOPE, "--config", config)["refused"]
    assert (refusal["at"], refusal["reply"][:9]) == ("DATA", "552 5.3.4")


def test_recipients_that_are_not_ours_are_told_by_the_configuration(
    letter: Path, dns: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configuration(tmp_path, dns)
    recipients = ("alice@example.org", "eve@elsewhere.example", "root%elsewhere.example@example.net", "postmaster")
    given = [word for recipient in recipients for word in ("--rcpt", recipient)]
    result = found(capsys, letter, *ENVELOPE, *given, "--config", config)
    assert [(one["at"], one["what"], one["reply"][:9]) for one in result["refused"]] == [
        ("RCPT", "eve@elsewhere.example", "550 5.7.1"),
        ("RCPT", "root%elsewhere.example@example.net", "550 5.7.1"),
    ]


def test_unclean_text_that_the_configuration_takes_is_not_told(
    letter: Path, dns: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    config = configuration(tmp_path, dns, '[session]\nunclean_text = "normalise-breaking-signatures"')
    letter.write_bytes(letter.read_bytes() + b"a\nb\r\n")
    assert check(letter, *ENVELOPE, "--config", config, "--json") == 0
    assert json.loads(capfdbinary.readouterr().out)["refused"] == []
    assert check(letter, *ENVELOPE, "--config", config, "--stamped") == 0
    assert capfdbinary.readouterr().out.endswith(b"Dear Alice,\r\na\r\nb\r\n")


def test_received_spf_is_among_our_fields_where_it_is_wanted(
    letter: Path, dns: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    config = configuration(tmp_path, dns, "[spf]\nreceived_spf = true")
    assert check(letter, *ENVELOPE, "--config", config, "--stamped") == 0
    assert (
        b"\r\nReceived-SPF: pass identity=mailfrom; client-ip=192.0.2.7;\r\n"
        b' envelope-from="ann@sender.example"; helo=mail.sender.example;\r\n'
        b' mechanism="ip4:192.0.2.7"; receiver=mx.example.org\r\nReceived: from mail.sender.example'
    ) in capfdbinary.readouterr().out


def test_a_batch_is_answered_line_by_line_in_its_order(
    letter: Path, dns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for number in range(100):
        files.append(letter.parent / f"{number}.eml")
        files[-1].write_bytes(LETTER.replace(b"A letter", b"A letter %d" % number) + b"x\r\n" * (100 - number) * 50)
    answers = batch(monkeypatch, capsys, dns, *map(case, files))
    assert [answer["file"] for answer in answers] == list(map(str, files))
    assert [answer["facts"]["subject"] for answer in answers] == [f"A letter {number}" for number in range(100)]
    assert {answer["spf"]["result"] for answer in answers} == {"pass"}


def test_errors_of_a_batch_stand_in_their_lines(
    letter: Path, dns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = batch(
        monkeypatch,
        capsys,
        dns,
        b"not json",
        b"[1]",
        b'{"file": "x"}',
        b"\xff\xfe",
        b"[" * 100_000,
        case(letter.parent / "missing.eml"),
        case(letter, ip="nowhere"),
        case(letter, ip=5),
        case(letter, mail_from="not an address"),
        case(letter, rcpt="alice@example.org"),
        case(letter, rcpt=[5]),
        b'{"file": "\\u0000\\ud800", "ip": "192.0.2.1"}',
        b"",
        case(letter, rcpt=["alice@example.org"]),
    )
    assert [answer.get("error", "none")[:24] for answer in answers] == [
        "not a line of JSON: Expe",
        "not a JSON object with f",
        "not a JSON object with f",
        "not a line of JSON: 'utf",
        "not a line of JSON: maxi",
        str(letter.parent / "missing.eml")[:24],
        "'nowhere' does not appea",
        "'5' does not appear to b",
        '"not an address": the pa',
        "rcpt is not a list",
        '"5": the path is not a m',
        "'utf-8' codec can't enco",
        "none",
    ]
    assert answers[-1]["facts"]["recipients"] == ["alice@example.org"]


def test_a_batch_of_thousands_needs_no_more_memory_than_one_of_hundreds(
    letter: Path, dns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Lines(io.RawIOBase):
        def __init__(self, count: int) -> None:
            self.left = count

        def readline(self, size: int | None = -1) -> bytes:
            self.left -= 1
            return b"" if self.left < 0 else b"{}\n"

    peaks = []
    for count in (200, 4000):
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": Lines(count)}))
        with capsys.disabled(), open("/dev/null", "w") as nowhere:
            monkeypatch.setattr("sys.stdout", nowhere)
            tracemalloc.start()
            assert check("--batch", "--dns", dns) == 0
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            monkeypatch.undo()
    assert peaks[1] < peaks[0] * 2


def test_what_a_configuration_says_is_used(
    letter: Path, dns: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configuration(tmp_path, dns, '[networks]\nown = ["192.0.2.0/24"]')
    (tmp_path / "rules.d" / "x.toml").write_text(
        '[[rule]]\nid = "mine"\nwhy = "a test"\nwhen = \'subject == "A letter"\'\nthen = "defer"\n'
    )
    result = found(capsys, letter, *ENVELOPE, "--config", config)
    assert result["facts"]["client.role"] == "internal"
    assert result["verdict"]["action"] == "defer"
    assert result["authentication_results"].startswith("mx.example.org; ")
    (tmp_path / "rules.d" / "x.toml").write_text("[[rule]]\n")
    assert check(letter, *ENVELOPE, "--config", config) == 2
    assert f"{tmp_path}/rules.d/x.toml:1:1: " in capsys.readouterr().err
