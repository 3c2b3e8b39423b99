"""Command lines become envelope values, or the reply that says why not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.envelope import Address, BodyType, Envelope, Recipient
from gateway.reply import Reply
from gateway.smtp.commands import is_helo_name, parse_mail, parse_rcpt, split_command
from gateway.smtp.inbox import BadLine
from gateway.smtp.offer import Extension, Offer, offer

EHLO = offer(1000, frozenset())
DSN = offer(1000, frozenset({Extension.DSN}))
HELO = Offer(max_size=1000)
PLAIN = Envelope(id="x", sender=None)
UTF8 = Envelope(id="x", sender=None, smtputf8=True)


def mail(argument: str, offered: Offer = EHLO) -> Envelope | str:
    answer = parse_mail(argument, offered, envelope_id="x")
    return f"{answer.code} {answer.enhanced}" if isinstance(answer, Reply) else answer


def rcpt(argument: str, offered: Offer = EHLO, envelope: Envelope = PLAIN) -> Recipient | str:
    answer = parse_rcpt(argument, offered, envelope)
    return f"{answer.code} {answer.enhanced}" if isinstance(answer, Reply) else answer


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"NOOP", ("NOOP", "")),
        (b"ehlo Host.Example  ", ("EHLO", "Host.Example")),
        (b"MAIL FROM:<a@b.example> SIZE=1", ("MAIL", "FROM:<a@b.example> SIZE=1")),
        (b"", ("", "")),
        ("\u017ftarttls".encode(), ("\u017ftarttls", "")),
        (b"NO\x00OP", BadLine.UNREADABLE),
        (b"MAIL\tFROM:<>", BadLine.UNREADABLE),
        (b"MAIL FROM:<\xff@b.example>", BadLine.UNREADABLE),
        ("MAIL FROM:<a\x85@b.example>".encode(), BadLine.UNREADABLE),
    ],
)
def test_split(line: bytes, command: object) -> None:
    assert split_command(line) == command


@pytest.mark.parametrize(
    ("argument", "sender"),
    [
        ("FROM:<a@b.example>", Address("a", "b.example")),
        ("from: <a@b.example>", Address("a", "b.example")),
        ("FROM:<>", None),
        ('FROM:<"a >b"@c.example>', Address('"a >b"', "c.example")),
        (r'FROM:<"a\">b"@c.example>', Address(r'"a\">b"', "c.example")),
    ],
)
def test_sender(argument: str, sender: Address | None) -> None:
    assert mail(argument) == Envelope(id="x", sender=sender)


@pytest.mark.parametrize(
    ("argument", "status"),
    [
        ("", "501 5.5.4"),
        ("TO:<a@b.example>", "501 5.5.4"),
        ("FROM:", "501 5.5.4"),
        ("FROM:a@b.example", "501 5.5.4"),
        ("FROM:  <a@b.example>", "501 5.5.4"),
        ("FROM:<a@b.example>SIZE=1", "501 5.5.4"),
        ("FROM:<a@b.example", "501 5.5.4"),
        ('FROM:<"a@b.example>', "501 5.5.4"),
        ("FROM:<<a@b.example>>", "501 5.5.4"),
        ("FROM:<a b@c.example>", "501 5.5.4"),
        ("FROM:<a>", "501 5.1.7"),
        ("FROM:<a@b@c>", "501 5.1.7"),
        (f"FROM:<{'a' * 65}@b.example>", "501 5.1.7"),
        ("FROM:<a(comment)@b.example>", "501 5.1.7"),
        ("FROM:<ä@b.example>", "553 5.6.7"),
        ("FROM:<a@bücher.example>", "553 5.6.7"),
        ("FROM:<a@b.example> SIZE=1001", "552 5.3.4"),
        ("FROM:<a@b.example> SIZE=" + "9" * 21, "501 5.5.4"),
        ("FROM:<a@b.example> SIZE=-1", "501 5.5.4"),
        ("FROM:<a@b.example> SIZE=١", "501 5.5.4"),
        ("FROM:<a@b.example> SIZE", "501 5.5.4"),
        ("FROM:<a@b.example> SIZE=1 size=1", "501 5.5.4"),
        ("FROM:<a@b.example> BODY=BINARYMIME", "501 5.5.4"),
        ("FROM:<a@b.example> SMTPUTF8=1", "501 5.5.4"),
        ("FROM:<a@b.example> =", "501 5.5.4"),
        ("FROM:<a@b.example> AUTH=<>", "555 5.5.4"),
        ("FROM:<a@b.example> RET=FULL", "555 5.5.4"),
        ("FROM:<a@b.example> REQUIRETLS", "555 5.5.4"),
    ],
)
def test_sender_is_refused(argument: str, status: str) -> None:
    assert mail(argument) == status


def test_mail_parameters() -> None:
    envelope = mail("FROM:<ä@b.example> size=1000  BODY=8bitmime SMTPUTF8 ")
    expected = Address("ä", "b.example")
    assert envelope == Envelope(id="x", sender=expected, size=1000, body=BodyType.EIGHT_BIT, smtputf8=True)


def test_helo_offers_no_parameters() -> None:
    assert mail("FROM:<a@b.example> SIZE=1", HELO) == "555 5.5.4"
    assert mail("FROM:<a@b.example>", HELO) == Envelope(id="x", sender=Address("a", "b.example"))


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        ("TO:<a@B.example>", Address("a", "b.example")),
        ("to: <Postmaster>", Address("Postmaster", "")),
        ("TO:<@relay.example,@other.example:a@b.example>", Address("a", "b.example")),
        ('TO:<"a@evil.example"@b.example>', Address('"a@evil.example"', "b.example")),
    ],
)
def test_recipient(argument: str, address: Address) -> None:
    assert rcpt(argument) == Recipient(address)


@pytest.mark.parametrize(
    ("argument", "status"),
    [
        ("TO:<>", "501 5.1.3"),
        ("TO:a@b.example", "501 5.5.4"),
        ("FROM:<a@b.example>", "501 5.5.4"),
        ("TO:<a@b.example> <c@d.example>", "501 5.5.4"),
        ("TO:<ä@b.example>", "553 5.6.7"),
        ("TO:<a@b.example> NOTIFY=NEVER", "555 5.5.4"),
        ("TO:<a@b.example> SIZE=1", "555 5.5.4"),
    ],
)
def test_recipient_is_refused(argument: str, status: str) -> None:
    assert rcpt(argument) == status


def test_non_ascii_recipient_with_smtputf8() -> None:
    assert rcpt("TO:<ä@b.example>", envelope=UTF8) == Recipient(Address("ä", "b.example"))


def test_recipient_that_comes_again_is_held_to_what_is_offered_then() -> None:
    argument = "TO:<ä@b.example> NOTIFY=NEVER"
    assert isinstance(rcpt(argument, DSN, UTF8), Recipient)
    assert (rcpt(argument, DSN), rcpt(argument, EHLO, UTF8)) == ("553 5.6.7", "555 5.5.4")


def test_dsn_parameters_stay_as_they_came() -> None:
    envelope = mail("FROM:<a@b.example> RET=hdrs ENVID=x+2By", DSN)
    assert isinstance(envelope, Envelope)
    assert envelope.parameters == ("RET=hdrs", "ENVID=x+2By")
    recipient = rcpt("TO:<a@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+40b", DSN)
    assert isinstance(recipient, Recipient)
    assert recipient.parameters == ("NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;a+40b")


@pytest.mark.parametrize(
    "parameter",
    ["NOTIFY=NEVER,SUCCESS", "NOTIFY=", "ORCPT=rfc822", "ORCPT=rfc822;a+4", "NOTIFY=X", "NOTIFY=\u017fUCCESS"],
)
def test_malformed_dsn_parameters_of_a_recipient(parameter: str) -> None:
    assert rcpt(f"TO:<a@b.example> {parameter}", DSN) == "501 5.5.4"


@pytest.mark.parametrize("parameter", ["RET=ALL", "RET=HDR\u017f", "ENVID=", f"ENVID={'x' * 101}", "ENVID=x+"])
def test_malformed_dsn_parameters_of_a_sender(parameter: str) -> None:
    assert mail(f"FROM:<a@b.example> {parameter}", DSN) == "501 5.5.4"


@pytest.mark.parametrize("name", ["client.example", "[192.0.2.1]", "[IPv6:::1]", "-odd_", "x" * 255])
def test_odd_helo_names_are_taken(name: str) -> None:
    assert is_helo_name(name)


@pytest.mark.parametrize("name", ["", "two words", "ä", "x" * 256])
def test_what_is_no_helo_name(name: str) -> None:
    assert not is_helo_name(name)


def domain_of(length: int) -> str:
    return ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * (length - 192)])


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        (f"<{'x' * 64}@b.example>", True),
        (f"<{'x' * 65}@b.example>", False),
        (f"<{'ü' * 32}@b.example>", True),
        (f"<{'ü' * 33}@b.example>", False),
        (f'<"{"x" * 62} "@b.example>', False),
        (f'<"{"x" * 61} "@b.example>', True),
        (f"<a@{domain_of(252)}>", True),
        (f"<a@{domain_of(253)}>", False),
        (f"<@{'r' * 60}.example:{'x' * 64}@{'b' * 63}.{'c' * 55}>", True),
        (f"<@{'r' * 60}.example:{'x' * 64}@{'b' * 63}.{'c' * 56}>", False),
    ],
)
def test_limits_of_a_path(path: str, fits: bool) -> None:
    """RFC 5321 section 4.5.3.1: 64 octets of a local part, 256 of a path with its brackets, in which no longer domain
    than one of 252 has room."""
    sender, recipient = mail(f"FROM:{path} SMTPUTF8"), rcpt(f"TO:{path}", envelope=UTF8)
    if fits:
        assert isinstance(sender, Envelope)
        assert isinstance(recipient, Recipient)
    else:
        assert (sender, recipient) == ("501 5.1.7", "501 5.1.3")


@given(st.text(max_size=100))
def test_no_text_raises(text: str) -> None:
    mail(f"FROM:{text}", DSN)
    mail(f"FROM:<a@b.example> {text}", DSN)
    rcpt(f"TO:{text}", DSN)
    rcpt(f"TO:<a@b.example> {text}", DSN)
