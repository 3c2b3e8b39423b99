"""The files of the suites as what they were not meant to be: each a message, each text in them a field or a record."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.lines import to_crlf
from gateway.system.dns import Answer, Status
from tests.support.examining import UNBOUND, examining
from tests.support.journeys import LETTER
from tests.support.sealing import sealed
from tests.support.signing import handmade, rsa_key

pytestmark = pytest.mark.suites

FIELDS = (
    "From",
    "DKIM-Signature",
    "ARC-Seal",
    "ARC-Message-Signature",
    "ARC-Authentication-Results",
    "Authentication-Results",
    "Received",
    "Subject",
    "Message-ID",
)


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a document, the names of its entries too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from texts_in(name)
            yield from texts_in(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from texts_in(entry)


def documents(folder: Path) -> Iterator[Any]:
    for path in sorted(folder.rglob("*.json")):
        yield json.loads(path.read_text(errors="replace"))
    for path in sorted(folder.rglob("*.yml")):
        yield from yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader)


async def test_every_file_is_a_message_that_no_check_stumbles_over(
    suites: Path, score: Callable[[str, int, int], None], tmp_path: Path
) -> None:
    """As it is, and with the line ends that it would have on the wire."""
    files = sorted(path for path in suites.rglob("*") if path.is_file())
    wrong: dict[str, str] = {}
    with examining(tmp_path, limits=UNBOUND | {"header_size": 1 << 20}) as examiner:
        for file in files:
            octets = file.read_bytes()
            try:
                for message in {octets, to_crlf(octets)}:
                    await examiner.examine(message)
            except Exception as error:  # noqa: BLE001  it is noted, and the others have their turn
                wrong[str(file.relative_to(suites))] = repr(error)[:300]
    score("every file of the suites as a message", len(files) - len(wrong), len(files))
    assert not wrong


async def test_every_text_is_a_record_and_a_field_that_no_check_stumbles_over(
    suites: Path, score: Callable[[str, int, int], None], tmp_path: Path
) -> None:
    """As every record that DNS has for a signed and sealed message, as HELO, and as every field that is read."""
    letter = sealed(handmade(LETTER, rsa_key(), d="sender.example"), rsa_key())
    texts = {text for document in documents(suites) for text in texts_in(document)}
    wrong: dict[str, str] = {}
    with examining(tmp_path, limits=UNBOUND) as examiner:
        for text in texts:
            octets = text.encode("utf-8", "surrogatepass")
            fields = b"".join(name.encode() + b": " + to_crlf(octets) + b"\r\n" for name in FIELDS)
            examiner.resolver.answers = [Answer(Status.OK, (octets,))]
            try:
                await examiner.examine(letter, helo=text)
                await examiner.examine(fields + b"\r\nHi.\r\n")
            except Exception as error:  # noqa: BLE001  it is noted, and the others have their turn
                wrong[text[:100]] = repr(error)[:300]
    score("every text of the suites as a record and as a field", len(texts) - len(wrong), len(texts))
    assert not wrong
