"""A disk that is full, while a message is spooled and while one is kept: 452, nothing of it stays behind, and the
next one that fits is taken. The limit of the size of a file stands for the end of the disk: each write beyond it
fails."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway, dns_process, running_gateway

SENDER = "ann@sender.example"
SMALL = b"From: <ann@sender.example>\r\nSubject: small\r\n\r\nHello\r\n"
LARGE = SMALL + b"A line of a message that does not fit on the disk\r\n" * 40_000  # two megabytes
FULL = 1 << 20  # octets of a file; the metrics of a worker and the log of a test stay below it
KEEP_ALL = '[[rule]]\nid = "keep"\nwhy = "a test"\nwhen = "message.size > 0"\nthen = "quarantine"\n'


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dns_process(tmp_path_factory.mktemp("dns"), "") as address:
        yield address


def fill_disk(gateway: RunningGateway, octets: int = FULL) -> None:
    for pid in gateway.workers():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))


def empty_disk(gateway: RunningGateway) -> None:
    fill_disk(gateway, resource.RLIM_INFINITY)


def kept(store: Path) -> list[Path]:
    """Every file, also those that are not yet to be seen."""
    return [path for path in store.rglob("*") if path.is_file()]


@pytest.mark.fault("disk: full while a message is spooled")
def test_a_message_that_cannot_be_spooled_is_the_senders_to_wait_out(tmp_path: Path, dns: str) -> None:
    store = tmp_path / "mail"
    more = f'[route.default]\nhosts = ["maildir://{store}"]\n'
    with running_gateway(tmp_path / "gateway", dns=dns, more=more) as gateway:
        fill_disk(gateway)
        with gateway.client() as client:
            client.ehlo()
            for message, code in ((LARGE, 452), (SMALL, 250)):  # on one connection: the session goes on
                assert client.mail(SENDER)[0] == client.rcpt("alice@example.org")[0] == 250
                assert client.data(message)[0] == code
        refused = gateway.wait_for_record(event="refused")
        empty_disk(gateway)
        assert gateway.send(LARGE, sender=SENDER).code == 250
    assert refused["reply"].startswith("452 4.3.1 ")
    assert sorted(len(path.read_bytes()) > FULL for path in kept(store)) == [False, True]


@pytest.mark.fault("disk: full while a message is put into a Maildir or the quarantine")
@pytest.mark.parametrize("table", ["route.default", "quarantine"])
def test_a_message_that_cannot_be_kept_is_the_senders_to_wait_out(table: str, tmp_path: Path, dns: str) -> None:
    store = tmp_path / "store"
    more = f'[route.default]\nhosts = ["maildir://{store}"]\n[limits]\nspool_memory = 8_000_000\n'
    if table == "quarantine":
        more += f'[quarantine]\ndirectory = "{store}"\n'
    rules = KEEP_ALL if table == "quarantine" else ""
    with running_gateway(tmp_path / "gateway", dns=dns, more=more, rules=rules) as gateway:
        fill_disk(gateway)
        answer = gateway.send(LARGE, sender=SENDER)
        assert (answer.code, answer.text[:6]) == (452, "4.3.1 ")
        assert kept(store) == []
        assert gateway.send(SMALL, sender=SENDER).code == 250
        empty_disk(gateway)
        assert gateway.send(LARGE, sender=SENDER).code == 250
        assert gateway.wait_for_record()["answer"].startswith("OSError: ")
    assert len(kept(store)) == 2
