"""Known mail: what is found about a message that has no envelope."""

from contextlib import closing
from pathlib import Path

from gateway.casebook import unscored
from gateway.inspection import Inspector
from gateway.knownmail import Examiner, KnownMail, for_tuning
from gateway.policy.verdict import Action
from gateway.system.fixeddns import FixedDns
from gateway.tuning.sighting import Known
from gateway.tuning.tally import Tally
from tests.support.journeys import NOW, settings_of
from tests.support.rulefacts import written
from tests.support.signing import rsa_key, signed

LETTER = b"From: ann@sender.example\nSubject: An offer\n\nHello\n"
BROUGHT = b"Return-Path: <ann@sender.example>\nReceived: from mail.sender.example (x [192.0.2.7]) by mx for %s; x\n"
DNS = FixedDns(
    {
        "sender.example": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]},
        "_dmarc.sender.example": {"TXT": ["v=DMARC1; p=reject"]},
        "s1._domainkey.sender.example": {"TXT": [rsa_key().record.decode()]},
    }
)
RULES = """
[[rule]]
id = "client"
why = "x"
when = 'client.ip in net("192.0.2.0/24") and client.helo == "mail.sender.example"'
then = "tag"

[[rule]]
id = "spf"
why = "x"
when = 'spf.result == "pass" and dmarc.result == "pass" and sender.domain == "sender.example"'
then = "tag"

[[rule]]
id = "recipient"
why = "x"
when = 'recipient.domain == "example.org" and recipient.count == 1'
then = "tag"

[[rule]]
id = "offer"
why = "x"
when = 'subject == "An offer" and "x" not in header("X-Mailer") and attachments.count == 0'
then = "quarantine"

[[rule]]
id = "night"
why = "x"
when = 'now.hour < 6'
then = "tag"

[[rule]]
id = "passing"
why = "x"
when = 'dmarc.result == "pass"'
then = "tag"

[[rule]]
id = "failing"
why = "x"
when = 'dmarc.result == "fail"'
then = "tag"

[[rule]]
id = "loud"
why = "x"
when = 'client.early_talker or tls.version != ""'
then = "reject"
"""


def laid(directory: Path, *names: str, raw: bytes = LETTER) -> list[Path]:
    paths = [directory / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    return paths


async def tally_of(directory: Path, *mail: KnownMail, **settings: object) -> tuple[Tally, Examiner]:
    written(directory / "rules.d", RULES)
    tally = Tally()
    chosen = for_tuning(unscored(settings_of(directory, **settings)), None)
    chosen = chosen.model_copy(update={"rules": chosen.rules.model_copy(update={"shipped": False})})
    with closing(Inspector(chosen, resolver=DNS, clock=lambda: NOW)) as inspector:
        examiner = Examiner(inspector, chosen, tally)
        await examiner.examine(mail)
    return tally, examiner


def hit(tally: Tally) -> set[str]:
    return {rule for rule, counted in tally.rules.items() if counted.hits}


def undecided(tally: Tally) -> set[str]:
    return {rule for rule, counted in tally.rules.items() if counted.undecided}


async def test_what_trace_fields_say_is_known(tmp_path: Path) -> None:
    [file] = laid(tmp_path, "1.eml", raw=BROUGHT % b"<alice@example.org>" + LETTER)
    tally, _ = await tally_of(tmp_path, KnownMail(file, Known.SPAM))
    assert hit(tally) == {"client", "spf", "passing", "recipient", "offer"}
    assert {rule: tally.rules[rule].unknown for rule in undecided(tally)} == {"night": {"now.hour"}}
    assert tally.verdicts == {(Known.SPAM, Action.QUARANTINE.value): 1}
    assert tally.rules["offer"].names == {Known.SPAM: [str(file)]}


async def test_what_they_do_not_say_is_undecidable(tmp_path: Path) -> None:
    [file] = laid(tmp_path, "1.eml")
    tally, _ = await tally_of(tmp_path, KnownMail(file, Known.HAM))
    assert hit(tally) == {"offer"}
    assert undecided(tally) == {"client", "spf", "passing", "failing", "recipient", "night", "loud"}


async def test_that_dmarc_passes_by_a_signature_is_known_without_the_client(tmp_path: Path) -> None:
    octets = signed(LETTER.replace(b"\n", b"\r\n"), rsa_key(), domain="sender.example")
    [file] = laid(tmp_path, "1.eml", raw=octets)
    tally, _ = await tally_of(tmp_path, KnownMail(file, Known.HAM))
    assert hit(tally) == {"offer", "passing"}
    assert undecided(tally) == {"client", "spf", "recipient", "night", "loud"}


async def test_a_message_that_nobody_would_take_is_not_read(tmp_path: Path) -> None:
    [file] = laid(tmp_path, "1.eml", raw=LETTER + b"x" * 65536)
    tally, examiner = await tally_of(tmp_path, KnownMail(file, Known.HAM), session={"max_size": 65536})
    assert tally.messages == 0
    assert [unread.reason for unread in examiner.unread] == ["larger than [session] max_size, 65,536 octets"]


async def test_what_is_no_message_for_rules_is_left_out_and_told(tmp_path: Path) -> None:
    [loop] = laid(tmp_path, "loop.eml", raw=b"Received: by x; y\n" * 200 + LETTER)
    tally, examiner = await tally_of(tmp_path, KnownMail(loop, Known.HAM), KnownMail(tmp_path / "gone", Known.HAM))
    assert (tally.messages, examiner.unjudged) == (0, 1)
    assert [(unread.path.name, unread.reason) for unread in examiner.unread] == [("gone", "No such file or directory")]
