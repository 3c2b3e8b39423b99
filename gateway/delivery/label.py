"""Label: what a quarantined message needs to go on later, as the first line of its own file, and back.

Message and envelope are one file, so that neither can be there without the other.
"""

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from gateway.connection import Connection
from gateway.envelope import Envelope

FIELD = b"X-Mailward-Quarantined: "
MAX_LABEL = 1_000_000  # octets: some thousand recipients with their parameters


class LabelError(ValueError):
    """The file does not begin with a label."""


@dataclass(frozen=True, slots=True)
class Label:
    """Who brought the message, for whom, and why it was kept back."""

    reason: str
    rules: tuple[str, ...]
    connection: Connection
    envelope: Envelope


_adapter = TypeAdapter(Label)


def to_line(label: Label) -> bytes:
    """The label as a header field of one line; line ends within its values are escaped, as JSON has it."""
    return FIELD + _adapter.dump_json(label) + b"\r\n"


def parse_line(line: bytes) -> Label:
    """Read a label with its line end. Raises LabelError."""
    if not (line.startswith(FIELD) and line.endswith(b"\r\n")):
        raise LabelError("there is no X-Mailward-Quarantined field at the top")
    try:
        return _adapter.validate_json(line[len(FIELD) : -2])
    except ValidationError as error:
        raise LabelError(str(error)) from error
