"""The whole gateway with real parts: Postfix downstream, spamd, a zone on a loopback DNS server, real clients."""

import json
import shutil
import smtplib
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dkim
import pytest

from tests.support.gateway import RunningGateway, dns_process, running_gateway
from tests.support.postfix import Postfix, is_available
from tests.support.signing import rsa_key, signed
from tests.support.spamd import RunningSpamd, free_port

pytestmark = pytest.mark.postfix

SENDER = "ann@sender.example"
ALICE = "alice@example.org"
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
ORDINARY = (
    b"From: Ann <ann@sender.example>\r\nTo: <alice@example.org>\r\nSubject: The minutes\r\n"
    b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n\r\n"
    b"Here are the minutes of our meeting.\r\n.a line that begins with a dot\r\nRegards\r\n"
)


def zone() -> str:
    key = rsa_key().record.decode()
    quoted = " ".join(f'"{key[start : start + 200]}"' for start in range(0, len(key), 200))
    return f"""
sender.example. 60 IN TXT "v=spf1 ip4:127.0.0.9 -all"
_dmarc.sender.example. 60 IN TXT "v=DMARC1; p=reject"
s1._domainkey.sender.example. 60 IN TXT {quoted}
9.0.0.127.in-addr.arpa. 60 IN PTR mail.sender.example.
mail.sender.example. 60 IN A 127.0.0.9
"""


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    if not is_available():
        pytest.skip("Postfix is not installed, or this is not root: what needs it is left out")
    with Postfix() as running:
        yield running


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dns_process(tmp_path_factory.mktemp("dns"), zone()) as address:
        yield address


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, postfix: Postfix, dns: str, spamd: RunningSpamd
) -> Iterator[RunningGateway]:
    more = f"""
[route.default]
hosts = ["smtp://127.0.0.1:{postfix.port}"]
[[spamd.hosts]]
address = "{spamd.address}"
"""
    with running_gateway(tmp_path_factory.mktemp("gateway"), dns=dns, more=more, workers=2) as running:
        yield running


def arrived(postfix: Postfix, user: str, marker: bytes) -> bytes:
    """The one message in the mailbox that has `marker`."""
    postfix.wait_until(lambda: any(marker in mail for mail in postfix.mailbox(user)), f"no mail with {marker!r}")
    [mail] = [mail for mail in postfix.mailbox(user) if marker in mail]
    return mail


def field(mail: bytes, name: bytes) -> bytes:
    """The value of the first field of that name, in one line."""
    header = mail.replace(b"\r\n", b"\n").partition(b"\n\n")[0].replace(b"\n ", b" ").replace(b"\n\t", b" ")
    return next(line.partition(b":")[2].strip() for line in header.split(b"\n") if line.startswith(name + b":"))


def test_signed_message_from_an_authorised_client_passes_all(
    gateway: RunningGateway, postfix: Postfix, dns: str
) -> None:
    message = signed(ORDINARY.replace(b"minutes", b"minutes-1"), rsa_key(), domain="sender.example")
    answer = gateway.send(message, sender=SENDER)
    assert answer.code == 250
    assert "queued as" in answer.text

    mail = arrived(postfix, "alice", b"minutes-1")
    results = field(mail, b"Authentication-Results")
    assert results.startswith(b"mx.example.org;")
    for result in (b"iprev=pass", b"spf=pass", b"dkim=pass", b"dmarc=pass"):
        assert result in results
    assert mail.count(b"Authentication-Results:") == 1
    assert b"from mail.sender.example (mail.sender.example [127.0.0.9])" in field(mail, b"Received") + mail
    assert field(mail, b"X-Spam-Flag") == b"NO"

    as_sent = mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert dkim.verify(as_sent, dnsfunc=lambda name, timeout: rsa_key().record)
    assert as_sent.endswith(message)

    record = gateway.wait_for_record()
    assert record["recipients"] == [ALICE]
    assert record["queue_id"] in answer.text
    assert {"iprev", "spf", "dkim", "arc", "dmarc", "spam", "deliver", "total"} <= record["milliseconds"].keys()


def test_forged_message_is_delivered_marked_for_quarantine(gateway: RunningGateway, postfix: Postfix) -> None:
    """p=reject alone is no reason to refuse (RFC 9989): nothing else speaks against this one."""
    message = ORDINARY.replace(b"minutes", b"forged-1")
    answer = gateway.send(message, sender="eve@elsewhere.example", source="127.0.0.66")
    assert answer.code == 250
    mail = arrived(postfix, "alice", b"forged-1")
    assert b"dmarc=fail" in field(mail, b"Authentication-Results")
    assert b"dmarc-quarantine" in field(mail, b"X-Mailward-Quarantine")


def test_forged_message_that_fails_spf_besides_is_refused(gateway: RunningGateway, postfix: Postfix) -> None:
    answer = gateway.send(ORDINARY.replace(b"minutes", b"forged-2"), sender=SENDER, source="127.0.0.66")
    assert answer.code == 550
    assert answer.text.startswith("5.7.26 ")
    assert "sender.example" in answer.text
    assert not any(b"forged-2" in mail for mail in postfix.mailbox("alice"))


def test_gtube_is_refused_as_the_shipped_rule_says(gateway: RunningGateway, postfix: Postfix) -> None:
    message = signed(ORDINARY.replace(b"Regards", GTUBE), rsa_key(), domain="sender.example")
    answer = gateway.send(message, sender=SENDER)
    assert answer.code == 550
    assert "5.7.1" in answer.text
    assert "GTUBE" not in answer.text  # the attacker is told nothing of what gave it away
    assert not any(GTUBE in mail for mail in postfix.mailbox("alice"))


def test_unknown_recipient_gets_the_downstream_servers_own_refusal(gateway: RunningGateway) -> None:
    answer = gateway.send(ORDINARY, sender=SENDER, recipient="nobody-here@example.org")
    assert answer.command == "RCPT"
    assert answer.code == 550
    assert "User unknown in virtual mailbox table" in answer.text
    assert gateway.wait_for_record(event="refused")["stage"] == "rcpt"


@pytest.mark.parametrize(
    "recipient",
    [
        "someone@elsewhere.example",
        "someone%elsewhere.example@example.org",
        "elsewhere.example!someone@example.org",
        '"someone@elsewhere.example"@example.org',
        "@example.org:someone@elsewhere.example",
        "alice@example.org.elsewhere.example",
    ],
)
def test_nothing_is_relayed(gateway: RunningGateway, recipient: str) -> None:
    for source in ("127.0.0.9", "127.0.0.1"):
        answer = gateway.send(ORDINARY, sender=SENDER, recipient=recipient, source=source)
        assert (answer.command, answer.code) == ("RCPT", 550)
        assert answer.text.startswith("5.7.1 ")


def test_mail_to_abuse_is_tagged_and_never_refused(tmp_path: Path, dns: str, spamd: RunningSpamd) -> None:
    more = f'[route.default]\nhosts = ["maildir://{tmp_path}/mail"]\n[[spamd.hosts]]\naddress = "{spamd.address}"\n'
    message = ORDINARY.replace(b"Regards", GTUBE)
    with running_gateway(tmp_path / "gateway", dns=dns, more=more) as gateway:
        for recipient in ("abuse@example.org", "postmaster@example.org", "postmaster"):
            assert (
                gateway.send(message, sender="eve@elsewhere.example", recipient=recipient, source="127.0.0.66").code
                == 250
            )
        assert gateway.send(message, sender="eve@elsewhere.example", source="127.0.0.66").code == 550
        mixed = _two_recipients(gateway, "abuse@example.org", ALICE)
    [file] = (tmp_path / "mail" / "example.org" / "abuse" / "new").iterdir()
    assert b"X-Mailward-Tag: " in file.read_bytes()
    assert mixed == [250, 452]


def _two_recipients(gateway: RunningGateway, *recipients: str) -> list[int]:
    with gateway.client() as client:
        client.ehlo()
        client.mail(SENDER)
        return [client.rcpt(recipient)[0] for recipient in recipients]


def test_looping_message_is_refused(gateway: RunningGateway) -> None:
    ours = (
        b"Received: from a (b [192.0.2.1]) by mx.example.org (Mailward) with ESMTP id 1;\r\n Tue, 24 Nov 2026 10:00\r\n"
    )
    for message in (ours * 5 + ORDINARY, b"Received: by somewhere.example; then\r\n" * 120 + ORDINARY):
        answer = gateway.send(message, sender=SENDER)
        assert answer.code == 554
        assert answer.text.startswith("5.4.6 ")


def test_stopped_downstream_defers_and_loses_nothing(tmp_path: Path, dns: str) -> None:
    more = f'[route.default]\nhosts = ["smtp://127.0.0.1:{free_port()}"]\n[domain."example.org"]\nverify = false\n'
    with running_gateway(tmp_path, dns=dns, more=more) as gateway:
        answer = gateway.send(ORDINARY, sender=SENDER)
    assert answer.command == "DATA"
    assert answer.code == 451
    assert answer.text.startswith("4.4.1 ")


def test_downstream_stopped_while_a_message_comes_defers(tmp_path: Path, dns: str, postfix: Postfix) -> None:
    with Postfix() as own:
        more = f'[route.default]\nhosts = ["smtp://127.0.0.1:{own.port}"]\nretry_dead = 0\n'
        with running_gateway(tmp_path / "gateway", dns=dns, more=more) as gateway, gateway.client() as client:
            client.ehlo()
            client.mail(SENDER)
            assert client.rcpt(ALICE)[0] == 250
            own.stop()
            assert client.data(ORDINARY)[0] == 451
            own.start()
            assert gateway.send(ORDINARY, sender=SENDER).code == 250
            assert len(own.wait_for_mail("alice")) == 1


@pytest.mark.parametrize(
    ("rules", "code", "marked"),
    [
        ("", 250, True),
        ('[[rule]]\nid = "unscored"\nthen = "defer"\nreply = "4.3.2 no scoring at the moment"\n', 451, False),
    ],
)
def test_stopped_spamd_follows_the_configured_policy(
    tmp_path: Path, dns: str, rules: str, code: int, marked: bool
) -> None:
    more = f"""
[route.default]
hosts = ["maildir://{tmp_path}/mail"]
[[spamd.hosts]]
address = "127.0.0.1:{free_port()}"
"""
    with running_gateway(tmp_path / "gateway", dns=dns, more=more, rules=rules) as gateway:
        assert gateway.send(ORDINARY, sender=SENDER).code == code
        assert gateway.wait_for_record()["spam"] == "unavailable"
    mail = b"".join(file.read_bytes() for file in (tmp_path / "mail").rglob("new/*"))
    assert (b"X-Mailward-Unscored: unavailable" in mail) is marked


def test_quarantine_keeps_shows_and_releases(tmp_path: Path, dns: str, postfix: Postfix) -> None:
    rules = '[[rule]]\nid = "keep"\nwhy = "a test"\nwhen = \'subject == "keep-me"\'\nthen = "quarantine"\n'
    more = f"""
[route.default]
hosts = ["smtp://127.0.0.1:{postfix.port}"]
[quarantine]
directory = "{tmp_path}/quarantine"
"""
    with running_gateway(tmp_path / "gateway", dns=dns, more=more, rules=rules) as gateway:
        answer = gateway.send(ORDINARY.replace(b"The minutes", b"keep-me"), sender=SENDER)
        assert answer.code == 250
        listed = mailward("quarantine", "--config", gateway.config, "list")
        identity = gateway.wait_for_record()["id"]
        shown_id = next(word for word in listed.split() if identity.replace(".", "-") in word or identity in word)
        assert "keep-me" in mailward("quarantine", "--config", gateway.config, "show", shown_id)
        assert not any(b"keep-me" in mail for mail in postfix.mailbox("alice"))
        mailward("quarantine", "--config", gateway.config, "release", shown_id)
    assert b"X-Mailward-Quarantine-Release:" in arrived(postfix, "alice", b"keep-me")


def mailward(*arguments: object) -> str:
    """Run the command; what it prints."""
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_panic_makes_everything_tag_only_at_once(tmp_path: Path, dns: str, spamd: RunningSpamd) -> None:
    more = f'[route.default]\nhosts = ["maildir://{tmp_path}/mail"]\n[[spamd.hosts]]\naddress = "{spamd.address}"\n'
    message = ORDINARY.replace(b"Regards", GTUBE)
    with running_gateway(tmp_path / "gateway", dns=dns, more=more) as gateway:
        assert gateway.send(message, sender=SENDER).code == 550
        mailward("panic", "on", "--config", gateway.config)
        assert gateway.send(message, sender=SENDER).code == 250
        mailward("panic", "off", "--config", gateway.config)
        assert gateway.send(message, sender=SENDER).code == 550


def test_smtplib_over_tls_is_noted_in_received(gateway: RunningGateway, postfix: Postfix) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    message = signed(ORDINARY.replace(b"minutes", b"over-tls"), rsa_key(), domain="sender.example")
    with gateway.client() as client:
        client.starttls(context=context)
        assert client.sendmail(SENDER, [ALICE], message) == {}
    mail = arrived(postfix, "alice", b"over-tls")
    assert b"with ESMTPS id" in mail
    assert b"(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384" in mail


@pytest.mark.parametrize("options", [[], ["--tls"]])
def test_swaks_delivers(gateway: RunningGateway, postfix: Postfix, options: list[str]) -> None:
    if shutil.which("swaks") is None:
        pytest.skip("swaks is not installed")
    marker = f"swaks{''.join(options)}"
    command = [
        "swaks", "--server", gateway.address, "--local-interface", "127.0.0.9", "--ehlo", "mail.sender.example",
        "--from", "bob@plain.example", "--to", ALICE, "--header", f"Subject: {marker}", *options,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    arrived(postfix, "alice", marker.encode())


def test_metrics_of_all_workers_are_on_one_port(gateway: RunningGateway) -> None:
    import urllib.request

    gateway.send(signed(ORDINARY.replace(b"minutes", b"counted"), rsa_key(), domain="sender.example"), sender=SENDER)
    page = urllib.request.urlopen(f"http://127.0.0.1:{gateway.status_port}/metrics", timeout=10).read().decode()
    assert 'mailward_messages_total{action="accept",reply="2xx"}' in page
    assert 'mailward_workers{state="ready"} 2.0' in page


def test_reload_puts_a_new_domain_in_force_and_refuses_a_broken_configuration(tmp_path: Path, dns: str) -> None:
    import signal

    more = f'[route.default]\nhosts = ["maildir://{tmp_path}/mail"]\n'
    with running_gateway(tmp_path / "gateway", dns=dns, more=more) as gateway:
        recipient = "x@new.example"
        assert gateway.send(ORDINARY, sender=SENDER, recipient=recipient).code == 550
        good = gateway.config.read_text()
        for text, outcome, code in (
            (good.replace('"example.org"]', '"example.org", "new.example"]').replace("[dns]", "[dsn]"), "refused", 550),
            (good.replace('["example.org"]', '["example.org", "new.example"]'), "done", 250),
        ):
            gateway.config.write_text(text)
            gateway.process.send_signal(signal.SIGHUP)
            count = len(gateway.records("reload")) + 1
            assert gateway.wait_for_record(count, "reload")["outcome"] == outcome
            assert gateway.send(ORDINARY, sender=SENDER, recipient=recipient).code == code


def test_sigterm_ends_it_cleanly(tmp_path: Path, dns: str) -> None:
    more = f'[route.default]\nhosts = ["maildir://{tmp_path}/mail"]\n'
    with running_gateway(tmp_path / "gateway", dns=dns, more=more, workers=2) as gateway:
        assert gateway.send(ORDINARY, sender=SENDER).code == 250
        assert gateway.stop() == 0


def test_check_of_the_stamped_message_agrees_with_the_log(tmp_path: Path, gateway: RunningGateway, dns: str) -> None:
    message = signed(ORDINARY.replace(b"minutes", b"checked"), rsa_key(), domain="sender.example")
    file = tmp_path / "message.eml"
    file.write_bytes(message)
    found = json.loads(
        mailward(
            "check",
            file,
            "--ip",
            "127.0.0.9",
            "--helo",
            "mail.sender.example",
            "--from",
            SENDER,
            "--rcpt",
            ALICE,
            "--json",
            "--config",
            gateway.config,
        )
    )
    assert found["spf"]["result"] == "pass"
    assert [signature["result"] for signature in found["dkim"]] == ["pass"]
    assert found["dmarc"]["result"] == "pass"
    assert found["verdict"]["action"] == "accept"
    assert found["spam"]["required"] == 5.0
    assert found["authentication_results"].startswith("mx.example.org;")


def test_client_that_leaves_after_its_final_dot_does_not_stop_the_delivery(tmp_path: Path, dns: str) -> None:
    more = f'[route.default]\nhosts = ["maildir://{tmp_path}/mail"]\n'
    with running_gateway(tmp_path / "gateway", dns=dns, more=more) as gateway:
        client = smtplib.SMTP("127.0.0.1", gateway.port, source_address=("127.0.0.9", 0))
        client.ehlo()
        client.mail(SENDER)
        client.rcpt(ALICE)
        assert client.docmd("DATA")[0] == 354
        client.send(ORDINARY.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        client.sock.close()
        assert gateway.wait_for_record()["reply"].startswith("250 ")
    assert len(list((tmp_path / "mail" / "example.org" / "alice" / "new").iterdir())) == 1
