"""Outcome: turns what the downstream server answered, or that it did not, into what our client is told. Pure.

The whole of it is two tables: which answers are about the mail and pass to the sender, and what is said in place of
the others. A 5yz about us (our configuration, our standing with the downstream) must not become a bounce of
somebody's mail, so it is 451.
"""

import errno
import re
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from gateway.delivery.answer import Answer
from gateway.reply import Reply, foreign, reply

MAX_LOGGED = 1000  # characters of a next hop's text: enough to find a fault, too few to flood a log


class Outcome(Struct, frozen=True):
    """How a delivery ended: the sender's reply, and for the log where it went and what the next hop said."""

    reply: Reply
    next_hop: str = ""  # "host:port" or "maildir"
    answer: str = ""  # the next hop's own reply text, or what went wrong with it
    queue_id: str = ""  # of the next hop, where its reply has one


class Step(StrEnum):
    """What a downstream server was asked when it answered."""

    BANNER = "banner"  # the connection itself, RFC 5321 section 3.1
    EHLO = "EHLO"  # or LHLO
    STARTTLS = "STARTTLS"  # RFC 3207
    XCLIENT = "XCLIENT"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    DOT = "final dot"  # RFC 5321 section 4.1.1.4

    __hash__ = str.__hash__  # an Enum's own is a call into Python


class Failure(StrEnum):
    """Why there is no answer that a sender could be given."""

    UNREACHABLE = "unreachable"  # no host of the route takes a connection
    LOST = "lost"  # the connection ended before the final dot
    TIMEOUT = "timeout"  # no answer in time, before the final dot
    UNKNOWN = "unknown"  # no answer after the final dot: delivered or not, nobody here can tell
    CLOSING = "closing"  # 421, RFC 5321 section 4.2.3: it shuts down or has enough of this connection
    UNWILLING = "unwilling"  # 4yz to who we are
    REFUSES_US = "refuses us"  # 5yz to who we are, or 530 (RFC 3207, RFC 4954)
    UNEXPECTED = "unexpected"  # a reply that RFC 5321 section 4.3.2 does not have at this step
    GARBLED = "garbled"  # what came is no reply at all
    NO_TLS = "no tls"  # TLS is required by the configuration and cannot be had
    BUSY = "busy"  # every connection of the route is in use
    SHRUNK = "shrunk"  # a recipient that was accepted at RCPT no longer is


# RFC 3463: X.3.2 not accepting messages, X.3.5 wrongly configured, X.4.1 no answer from host, X.4.2 bad connection,
# X.5.0 protocol trouble, X.7.5 cryptographic failure. The sender is told no more than that; Outcome.answer says the
# rest.
_TEMPORARY = {
    Failure.UNREACHABLE: ("4.4.1", "The mail server behind this gateway cannot be reached; try again later"),
    Failure.LOST: ("4.4.2", "The connection to the mail server behind this gateway was lost; try again later"),
    Failure.TIMEOUT: ("4.4.2", "The mail server behind this gateway did not answer in time; try again later"),
    Failure.UNKNOWN: ("4.4.2", "The mail server behind this gateway did not confirm the message; try again later"),
    Failure.CLOSING: ("4.3.2", "The mail server behind this gateway is closing; try again later"),
    Failure.UNWILLING: ("4.3.2", "The mail server behind this gateway takes no mail now; try again later"),
    Failure.REFUSES_US: ("4.3.5", "The mail server behind this gateway does not talk to it; try again later"),
    Failure.UNEXPECTED: ("4.5.0", "The mail server behind this gateway answered strangely; try again later"),
    Failure.GARBLED: ("4.5.0", "The mail server behind this gateway answered strangely; try again later"),
    Failure.NO_TLS: ("4.7.5", "No secure connection to the mail server behind this gateway; try again later"),
    Failure.BUSY: ("4.3.2", "The mail server behind this gateway is busy; try again later"),
    Failure.SHRUNK: ("4.3.0", "A recipient was accepted before and is not now; try again later"),
}
REPLIES = {failure: reply(f"451 {detail}", text) for failure, (detail, text) in _TEMPORARY.items()}

# What the next hop cannot take of a message that needs more than it offers.
NO_EIGHT_BIT = reply("554 5.6.3", "The mail server of this domain does not take 8-bit content")  # RFC 6152 section 3
NO_UTF8_ADDRESS = reply("550 5.6.7", "The mail server of this domain does not take internationalised addresses")
NO_REQUIRETLS = reply("550 5.7.30", "REQUIRETLS support required")  # RFC 8689 section 4.2.1
NO_UTF8_HEADER = reply("554 5.6.9", "The mail server of this domain does not take internationalised headers")

# RFC 5321 section 4.3.2: the class of a success at each step.
_EXPECTED = dict.fromkeys(Step, 2) | {Step.DATA: 3}

# What a failure is called, by the step and the class of the code; an answer that is not here passes to the sender.
_ABOUT_THE_MAIL = frozenset({Step.MAIL, Step.RCPT, Step.DOT})
_FAILURES = (
    {(step, 4): Failure.UNWILLING for step in Step if step not in _ABOUT_THE_MAIL | {Step.DATA}}
    | {(step, 5): Failure.REFUSES_US for step in Step if step not in _ABOUT_THE_MAIL}
    | {(step, 5 - _EXPECTED[step]): Failure.UNEXPECTED for step in Step}
)
_FAILURES_ANYWHERE = {421: Failure.CLOSING, 530: Failure.REFUSES_US}

_queue_id_re = re.compile(
    r"queued as <?([\w.-]{1,64})"  # Postfix, Haraka
    r"|\bid=([\w.-]{1,64})"  # Exim
    r"|InternalId=(\d{1,32})"  # Exchange
    r"|\b([\w-]{6,64}):? Message accepted for delivery"  # Sendmail, OpenSMTPD
    r"|> ([\w+/-]{6,64}) Saved"  # Dovecot
)

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def failure_of(step: Step, code: int) -> Failure | None:
    """What is wrong with an answer; None where it is the sender's: the step succeeded, or the mail was refused."""
    return _FAILURES_ANYWHERE.get(code) or _FAILURES.get((step, code // 100))


def to_sender(step: Step, answer: Answer) -> Reply:
    """What the sender is told of an answer."""
    failure = failure_of(step, answer.code)
    if failure is not None:
        return REPLIES[failure]
    # 251 and 252 (RFC 5321 section 3.4) are a success that says more than our client asked for.
    return foreign(250 if answer.is_success else answer.code, answer.lines)


def failed(failure: Failure, *, next_hop: str = "", detail: str = "") -> Outcome:
    """The outcome where there is no answer to pass on."""
    return Outcome(
        reply=REPLIES[failure], next_hop=next_hop, answer=f"{failure.value}: {detail}" if detail else failure
    )


def answered(step: Step, answer: Answer, *, next_hop: str) -> Outcome:
    """The outcome where the next hop answered."""
    queue_id = find_queue_id(answer) if step is Step.DOT and answer.is_success else ""
    return Outcome(reply=to_sender(step, answer), next_hop=next_hop, answer=str(answer)[:MAX_LOGGED], queue_id=queue_id)


def combined(answers: Sequence[Answer]) -> Answer:
    """One answer for the recipients of an LMTP transaction (RFC 2033 section 4.2).

    Nothing may be lost: a refusal passes only if every recipient was refused for good. Otherwise any failure makes
    the whole temporary, and those who have the message already get it twice.
    """
    failures = [answer for answer in answers if not answer.is_success]
    if not failures:
        return answers[0]
    if len(failures) == len(answers) and all(answer.code >= 500 for answer in failures):
        return failures[0]
    passing = (answer for answer in failures if answer.code < 500)
    return next(passing, Answer(code=451, lines=("4.3.0 The message was taken for some recipients only",)))


def find_queue_id(answer: Answer) -> str:
    """The id that the next hop gave the message, from the final replies of the servers in common use; or ""."""
    match = _queue_id_re.search(" ".join(answer.lines)[:1024])
    return match[match.lastindex or 0] if match else ""


def disk_failure(error: OSError, *, next_hop: str) -> Outcome:
    """The outcome where a local store could not write: 452 when there is no room (RFC 5321 section 4.2.3), else 451."""
    if error.errno in _DISK_FULL:
        told = reply("452 4.3.1", "Insufficient storage; try again later")
    else:
        told = reply("451 4.3.0", "The message cannot be stored now; try again later")
    return Outcome(reply=told, next_hop=next_hop, answer=f"{type(error).__name__}: {error}")
