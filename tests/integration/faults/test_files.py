"""Files that change under a running gateway: a rules file that is broken at a reload, and a certificate that is
replaced."""

import shutil
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Certificate, make_certificate
from tests.support.gateway import RunningGateway, dns_process, running_gateway

SENDER = "ann@sender.example"
LETTER = b"From: <ann@sender.example>\r\nSubject: a letter\r\n\r\nHello\r\n"
REFUSE = """
[[rule]]
id = "no-letters"
why = "a test"
when = 'subject == "a letter"'
then = "reject"
reply = "5.7.1 no"
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def certificates(root: Path) -> tuple[Certificate, Certificate]:
    made = []
    for name in ("first", "second"):
        (root / name).mkdir()
        made.append(make_certificate(root / name, "127.0.0.1"))
    return made[0], made[1]


@pytest.fixture(scope="module")
def gateway(root: Path, certificates: tuple[Certificate, Certificate]) -> Iterator[RunningGateway]:
    install(certificates[0], root)
    more = f"""
[route.default]
hosts = ["maildir://{root}/mail"]
[tls]
certificate = "{root}/certificate.pem"
key = "{root}/key.pem"
"""
    with dns_process(root / "dns", "") as dns, running_gateway(root / "gateway", dns=dns, more=more) as running:
        yield running


def install(certificate: Certificate, root: Path) -> None:
    """As certbot does: first the one file, then the other."""
    for file in (certificate.certificate, certificate.key):
        shutil.copy(file, root / f"new-{file.name}")
        (root / f"new-{file.name}").rename(root / file.name)


def reload(gateway: RunningGateway) -> str:
    count = len(gateway.records("reload")) + 1
    gateway.process.send_signal(signal.SIGHUP)
    return str(gateway.wait_for_record(count, "reload")["outcome"])


def shown(gateway: RunningGateway) -> bytes:
    """The certificate that a client is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with gateway.client() as client:
        client.ehlo()
        client.starttls(context=context)
        assert isinstance(client.sock, ssl.SSLSocket)
        return client.sock.getpeercert(binary_form=True) or b""


@pytest.mark.fault("rules: broken at a reload")
def test_a_broken_rules_file_is_told_and_the_rules_in_force_stay(gateway: RunningGateway, root: Path) -> None:
    file = root / "gateway" / "rules.d" / "site.toml"
    before = gateway.workers()
    file.write_text(REFUSE.replace("subject", "subjekt"))
    assert reload(gateway) == "refused"
    assert gateway.workers() == before
    assert gateway.send(LETTER, sender=SENDER).code == 250
    assert any("site.toml" in line["event"] and "subjekt" in line["event"] for line in gateway.log())
    file.write_text(REFUSE)
    assert reload(gateway) == "done"
    assert gateway.send(LETTER, sender=SENDER).code == 550


@pytest.mark.fault("certificate: replaced while running")
def test_a_new_certificate_is_used_by_the_next_handshake(
    gateway: RunningGateway, root: Path, certificates: tuple[Certificate, Certificate]
) -> None:
    first, second = (ssl.PEM_cert_to_DER_cert(made.certificate.read_text()) for made in certificates)
    with gateway.client() as client:
        client.ehlo()
        assert shown(gateway) == first
        install(certificates[1], root)
        assert shown(gateway) == second
        assert client.noop()[0] == 250


@pytest.mark.fault("certificate: replaced by one that cannot be used")
@pytest.mark.parametrize("damage", ["the key of another", "no certificate", "gone"])
def test_a_certificate_that_cannot_be_used_leaves_the_one_before(
    damage: str, gateway: RunningGateway, root: Path, certificates: tuple[Certificate, Certificate]
) -> None:
    install(certificates[0], root)
    before = shown(gateway)
    if damage == "gone":
        (root / "certificate.pem").unlink()
    elif damage == "no certificate":
        (root / "certificate.pem").write_text("half a file")
    else:
        shutil.copy(certificates[1].key, root / "key.pem")
    assert shown(gateway) == before
    install(certificates[1], root)
    assert shown(gateway) != before
