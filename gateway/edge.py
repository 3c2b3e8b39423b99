"""The edge: says of a message what the SMTP session would refuse of it before there is a journey, by the code that
refuses it there."""

from collections.abc import Callable, Iterator
from enum import StrEnum

from msgspec import Struct

from gateway.envelope import Envelope
from gateway.journey import next_hop
from gateway.parts import Parts
from gateway.reply import Reply
from gateway.smtp.intake import Intake
from gateway.smtp.replies import MESSAGE
from gateway.smtp.settings import SessionSettings


class Moment(StrEnum):
    """When the session answers."""

    RCPT = "RCPT"  # to a recipient
    DATA = "DATA"  # to the octets of the message


class Refusal(Struct, frozen=True):
    """What the session would answer, and to what: a recipient, or what stands in the message."""

    moment: Moment
    what: str
    reply: Reply

    def to_dict(self) -> dict[str, str]:
        return {"at": self.moment.value, "what": self.what, "reply": str(self.reply)}


def take(octets: bytes, settings: SessionSettings, write: Callable[[bytearray], None]) -> Intake:
    """The intake of a session that was sent these octets; what it keeps of them is written."""
    intake = Intake(write, max_size=settings.max_size, max_line=settings.max_line, unclean=settings.unclean_text)
    intake.take(bytearray(octets))
    intake.finish()
    return intake


def refused_octets(intake: Intake) -> Iterator[Refusal]:
    if intake.fault is not None:
        yield Refusal(Moment.DATA, intake.fault.value, MESSAGE[intake.fault])


def refused_recipients(parts: Parts, envelope: Envelope) -> Iterator[Refusal]:
    for recipient in envelope.recipients:
        hop = next_hop(parts, recipient)
        if isinstance(hop, Reply):
            yield Refusal(Moment.RCPT, str(recipient.address), hop)
