"""The last metres: what the server behind us may do, and what its sender is then told. One table, ROWS.

tests/integration/test_last_metres.py plays every row with a scripted server, and docs/downstream.md shows them:
`python -m tests.support.lastmetres` writes them there anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.delivery.endpoint import Protocol
from tests.support.downstream import AS_EVER, OFFERS, XFORWARD, Fault, Said, Script

PAGE = Path(__file__).parents[2] / "docs" / "downstream.md"
BEGIN = "<!-- This table is made of tests/support/lastmetres.py; each row is tested. -->\n"
END = "<!-- The end of the table. -->\n"

OWN = "its own words"  # the server's code and text
YES = "250"
EACH_TIME = 9  # more often than a server is asked for the same in one transaction
NOT_XFORWARD = (*(offer for offer in OFFERS if offer != XFORWARD), "XCLIENT NAME ADDR PORT PROTO HELO")


@dataclass(frozen=True)
class Act:
    """Something that a server does in place of its good answer."""

    name: str
    answer: str | Fault
    kind: str = ""  # what the page calls it, and others like it

    @property
    def words(self) -> str:
        return self.kind or self.name


NOBODY = Act("no connection", Fault.CLOSE)
LATER = Act("4yz", "450 4.7.1 Later")
NEVER = Act("5yz", "554 5.7.1 Never")
CLOSING = Act("421", "421 4.3.0 Shutting down")
STRANGER = Act("530", "530 5.7.0 Authentication required")
GOES_ON = Act("3yz", "354 Go on")
AGREES = Act("2yz", "250 2.0.0 Agreed")
SILENT = Act("silence", Fault.SILENCE)
CLOSES = Act("close", Fault.CLOSE, "an end")
RESETS = Act("reset", Fault.RESET, "an end")
HALF_CLOSES = Act("half-close", Fault.HALF_CLOSE, "an end")
NO_REPLY = Act("no reply", "Hello there", "nonsense")
TWO_CODES = Act("two codes in one reply", "250-Yes\n550 No", "nonsense")
LONG_LINE = Act("a line above 4096 octets", "250 " + "x" * 5000, "nonsense")
MANY_LINES = Act("more than 128 lines", "\n".join(["250-line"] * 150), "nonsense")

ENDS = (CLOSES, RESETS, HALF_CLOSES)
NONSENSE = (NO_REPLY, TWO_CODES, LONG_LINE, MANY_LINES)
REFUSES = (LATER, NEVER)


@dataclass(frozen=True)
class Row:
    """One row: where the server does something, and what is told. `one` and `two` are the beginnings of the replies
    that a sender of one and of two recipients gets: to each RCPT, and to the message where any was accepted."""

    at: str
    stages: tuple[str, ...]  # of the script, each to be tested
    acts: tuple[Act, ...]
    one: tuple[str, ...]
    two: tuple[str, ...]
    comes_twice: bool = False  # it may, since the sender is told to come again and the server may have the message
    times: int = 1  # that the server does it
    messages_before: int = 0  # over the same connection
    good: int = 0  # answers at that stage before
    good_each: int = 0  # and for each recipient
    route: Mapping[str, Any] = field(default_factory=dict)
    offers: tuple[str, ...] = OFFERS
    protocol: Protocol = Protocol.SMTP
    domain: Mapping[str, Any] = field(default_factory=dict)

    def scripts(self, stage: str, act: Act, recipients: int) -> tuple[Script, Script]:
        """Of the first connection, and of those after it."""
        good = self.messages_before + self.good + self.good_each * recipients
        acted: list[Said | None] = [act.answer] * self.times
        return {stage: [AS_EVER] * good + acted}, {stage: acted if self.times > 1 else []}

    def told(self, act: Act, recipients: int) -> tuple[str, ...]:
        told = self.one if recipients == 1 else self.two
        return tuple(str(act.answer) if answer is OWN else answer for answer in told)


def _at_rcpt(told: str) -> dict[str, Any]:
    """Every recipient is told so, and no message comes."""
    return {"one": (told,), "two": (told, told)}


def _for_one(told: str) -> dict[str, Any]:
    """The first recipient is told so; a second one is accepted."""
    return {"one": (told,), "two": (told, YES, YES)}


def _for_second(told: str) -> dict[str, Any]:
    return {"one": (YES, YES), "two": (YES, told, YES)}


def _after_message(told: str) -> dict[str, Any]:
    return {"one": (YES, told), "two": (YES, YES, told)}


_EARLY = ("banner", "EHLO")
_LEFT = {"route": {"hold": 0}}
_UNASKED = {"domain": {"verify": False}}

ROWS = (
    Row("the connection", ("listen",), (NOBODY,), **_at_rcpt("451 4.4.1")),
    Row("banner, EHLO", _EARLY, (LATER, CLOSING), **_at_rcpt("451 4.3.2"), times=EACH_TIME),
    Row("banner, EHLO", _EARLY, (NEVER, STRANGER), **_at_rcpt("451 4.3.5"), times=EACH_TIME),
    Row("banner, EHLO", _EARLY, (GOES_ON, *NONSENSE), **_at_rcpt("451 4.5.0"), times=EACH_TIME),
    Row("banner, EHLO", _EARLY, (SILENT, *ENDS), **_at_rcpt("451 4.4.2"), times=EACH_TIME),
    Row("STARTTLS", ("STARTTLS",), (LATER, CLOSING), **_at_rcpt("451 4.3.2"), times=EACH_TIME),
    Row("STARTTLS", ("STARTTLS",), (NEVER, STRANGER), **_at_rcpt("451 4.3.5"), times=EACH_TIME),
    Row("the TLS handshake", ("handshake",), (SILENT, *ENDS, NO_REPLY), **_at_rcpt("451 4.7.5"), times=EACH_TIME),
    Row("XCLIENT", ("XCLIENT",), (NEVER,), **_at_rcpt("451 4.3.5"), times=EACH_TIME, offers=NOT_XFORWARD),
    Row("XFORWARD", ("XFORWARD",), (LATER, NEVER, STRANGER), **_after_message(YES)),
    Row("MAIL", ("MAIL",), REFUSES, **_at_rcpt(OWN)),
    Row("MAIL", ("MAIL",), (STRANGER,), **_at_rcpt("451 4.3.5")),
    Row("MAIL", ("MAIL",), (CLOSING,), **_at_rcpt("451 4.3.2"), times=EACH_TIME),
    Row("MAIL", ("MAIL",), (GOES_ON, *NONSENSE), **_at_rcpt("451 4.5.0"), times=EACH_TIME),
    Row("MAIL", ("MAIL",), (SILENT, *ENDS), **_at_rcpt("451 4.4.2"), times=EACH_TIME),
    Row("RCPT", ("RCPT",), REFUSES, **_for_one(OWN)),
    Row("RCPT", ("RCPT",), (STRANGER,), **_for_one("451 4.3.5")),
    Row("RCPT", ("RCPT",), (CLOSING,), **_for_one("451 4.3.2")),
    Row("RCPT", ("RCPT",), (GOES_ON, *NONSENSE), **_for_one("451 4.5.0")),
    Row("RCPT", ("RCPT",), (SILENT, *ENDS), **_for_one("451 4.4.2")),
    Row("RCPT of the second", ("RCPT",), REFUSES, **_for_second(OWN), good=1),
    Row("RCPT of the second", ("RCPT",), (GOES_ON, *NONSENSE), **_for_second("451 4.5.0"), good=1),
    Row("RCPT of the second", ("RCPT",), (SILENT,), **_for_second("451 4.4.2"), good=1),
    Row("RCPT of the second", ("RCPT",), (CLOSING, *ENDS), **_for_second(YES), good=1),
    Row("RSET before the replay", ("RSET",), (LATER, NEVER, CLOSING, *ENDS), **_after_message(YES), **_LEFT),
    Row("MAIL of the replay", ("MAIL",), REFUSES, **_after_message(OWN), good_each=1, **_LEFT),
    Row("MAIL of the replay", ("MAIL",), (CLOSING, *ENDS), **_after_message(YES), good_each=1, **_LEFT),
    Row("RCPT of the replay", ("RCPT",), REFUSES, (YES, OWN), (YES, YES, "451 4.3.0"), good_each=1, **_LEFT),
    Row("RCPT of the replay", ("RCPT",), (CLOSING, *ENDS), **_after_message(YES), good_each=1, **_LEFT),
    Row("DATA", ("DATA",), (LATER,), **_after_message(OWN)),
    Row("DATA", ("DATA",), (NEVER, STRANGER), **_after_message("451 4.3.5")),
    Row("DATA", ("DATA",), (AGREES, *NONSENSE), **_after_message("451 4.5.0")),
    Row("DATA", ("DATA",), (SILENT,), **_after_message("451 4.4.2")),
    Row("DATA, once", ("DATA",), (CLOSING, *ENDS), **_after_message(YES)),
    Row("DATA, each time", ("DATA",), (CLOSING,), **_after_message("451 4.3.2"), times=EACH_TIME),
    Row("DATA, each time", ("DATA",), ENDS, **_after_message("451 4.4.2"), times=EACH_TIME),
    Row("in mid-message", ("content",), REFUSES, **_after_message(OWN)),
    Row("in mid-message", ("content",), (AGREES, GOES_ON, NO_REPLY), **_after_message("451 4.5.0")),
    Row("in mid-message", ("content",), (SILENT,), **_after_message("451 4.4.2"), route={"transfer_timeout": 0.3}),
    Row("in mid-message, once", ("content",), (CLOSING, *ENDS), **_after_message(YES)),
    Row("in mid-message, each time", ("content",), (CLOSING,), **_after_message("451 4.3.2"), times=EACH_TIME),
    Row("in mid-message, each time", ("content",), ENDS, **_after_message("451 4.4.2"), times=EACH_TIME),
    Row("final dot", (".",), REFUSES, **_after_message(OWN)),
    Row("final dot", (".",), (STRANGER,), **_after_message("451 4.3.5")),
    Row("final dot", (".",), (CLOSING,), **_after_message("451 4.3.2")),
    Row("final dot", (".",), (GOES_ON,), **_after_message("451 4.5.0"), comes_twice=True),
    Row("final dot", (".",), (SILENT, *ENDS, *NONSENSE), **_after_message("451 4.4.2"), comes_twice=True),
    Row(
        "MAIL to mid-message, over a connection that has served before",
        ("MAIL", "RCPT", "DATA", "content"),
        (CLOSING, *ENDS),
        **_after_message(YES),
        messages_before=1,
    ),
    Row(
        "the connection, where `verify = false`",
        ("listen",),
        (NOBODY,),
        (YES, "451 4.4.1"),
        (YES, "452 4.5.3", "451 4.4.1"),
        **_UNASKED,
    ),
    Row(
        "MAIL, RCPT, where `verify = false`",
        ("MAIL", "RCPT"),
        REFUSES,
        (YES, OWN),
        (YES, "452 4.5.3", OWN),
        **_UNASKED,
    ),
    Row("final dot, by LMTP", (".",), REFUSES, (YES, OWN), (YES, "452 4.5.3", OWN), protocol=Protocol.LMTP),
    Row(
        "final dot, by LMTP",
        (".",),
        (SILENT, *ENDS, *NONSENSE),
        (YES, "451 4.4.2"),
        (YES, "452 4.5.3", "451 4.4.2"),
        comes_twice=True,
        protocol=Protocol.LMTP,
    ),
)


def page() -> str:
    """The page of the documents with the table as it is now."""
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"{PAGE} has no place for the table"
    assert end, f"{PAGE} has no end of the table"
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def table() -> str:
    lines = [
        "| where | what comes | one recipient: told | two: told | may come twice |",
        "|---|---|---|---|---|",
        *map(_line, ROWS),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    acts = ", ".join(dict.fromkeys(act.words for act in row.acts))
    twice = "yes" if row.comes_twice else ""
    return f"| {row.at} | {acts} | {_words(row.one, 1)} | {_words(row.two, 2)} | {twice} |"


def _words(told: tuple[str, ...], recipients: int) -> str:
    """What is told, by where: 250 to each recipient goes without saying."""
    rcpts, message = told[:recipients], told[recipients:]
    if set(rcpts) == {YES}:
        return message[0]
    at_rcpt = rcpts[0] if len(set(rcpts)) == 1 else ", ".join(rcpts)
    return "; ".join([f"RCPT {at_rcpt}", *(f"message {answer}" for answer in message)])


if __name__ == "__main__":
    PAGE.write_text(page())
