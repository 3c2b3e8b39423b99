"""Personal: which facts say the same as a value that can be redacted. Such a fact is then not recorded at all: a rule
that is replayed on a hash in its place would only seem not to match."""

from collections.abc import Collection, Iterable, Mapping

from gateway.headerfacts import PREFIX
from gateway.system.redaction import Redactable

PERSONAL: Mapping[Redactable, frozenset[str]] = {
    Redactable.SENDER: frozenset({"sender.address"}),
    Redactable.RECIPIENTS: frozenset({"recipients"}),
    Redactable.AUTHOR: frozenset({"author.address", "author.name", "author.name_address"}),
    Redactable.SUBJECT: frozenset({"subject"}),
    Redactable.MESSAGE_ID: frozenset(),
    Redactable.CLIENT_IP: frozenset({"client.ip"}),
    Redactable.CLIENT_NAME: frozenset({"iprev.name"}),
    Redactable.HELO: frozenset({"client.helo"}),
}


def hidden_facts(names: Iterable[str], redacted: Collection[Redactable]) -> frozenset[str]:
    """Which of these facts are not recorded where those values are redacted. A header field may say any of them."""
    if not redacted:
        return frozenset()
    personal = frozenset[str]().union(*(PERSONAL[value] for value in redacted))
    return frozenset(name for name in names if name in personal or name.startswith(PREFIX))
