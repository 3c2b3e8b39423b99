"""Outcome: turns what the downstream server answered, or that it did not, into what our client is told. Pure."""

from dataclasses import dataclass

from gateway.reply import Reply


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a delivery ended: the sender's reply, and for the log where it went and what the next hop said."""

    reply: Reply
    next_hop: str = ""  # "host:port" or "maildir"
    answer: str = ""  # the next hop's own reply text
    queue_id: str = ""  # of the next hop, where its reply has one
