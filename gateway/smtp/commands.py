"""Commands: turns a command line into a verb with its argument, and those of MAIL and RCPT into envelope values.

RFC 5321 section 4.1.1 and 4.1.2 (syntax), RFC 1870 (SIZE), RFC 6152 (BODY), RFC 6531 (SMTPUTF8), RFC 3461 (RET, ENVID,
NOTIFY, ORCPT), RFC 8689 (REQUIRETLS). What cannot be accepted comes back as the reply that says why.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from gateway.envelope import BodyType, Envelope, PathError, Recipient, parse_forward_path, parse_reverse_path
from gateway.reply import Reply, reply
from gateway.smtp import replies
from gateway.smtp.inbox import BadLine
from gateway.smtp.offer import Offer

# RFC 5321 section 4.5.3.1.4 gives 512 octets; SIZE, BODY, SMTPUTF8 and DSN add at most 700 to MAIL or RCPT together.
MAX_LINE = 2048
MAX_HELO = 255  # octets, RFC 5321 section 4.5.3.1.2
KEPT_LINES = 1024  # that were split are kept: most but those of MAIL come again
KEPT_RECIPIENTS = 512  # what was made of RCPT: most come again
XTEXT = r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})"  # an expression for one character, RFC 3461 section 4
# The space before the path is wrong (RFC 5321 section 3.3) and common; so are spaces at the end of a line.
PATH = r" ?(<(?:[^<>\"\\ ]++|\"(?:[^\"\\]|\\.)*\")*>)(?: +(.*))?\Z"

_control_re = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_helo_re = re.compile(rf"[!-~]{{1,{MAX_HELO}}}\Z")
_from_re = re.compile(f"(?i:FROM:){PATH}")
_to_re = re.compile(f"(?i:TO:){PATH}")
_parameter_re = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\x80-\U0010ffff]+))?\Z")
_notify_re = re.compile(
    r"(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2})\Z", re.IGNORECASE | re.ASCII
)
_orcpt_re = re.compile(rf"[A-Za-z0-9-]{{1,40}};(?:{XTEXT}|[\x80-\U0010ffff]){{1,500}}\Z")
_envid_re = re.compile(rf"{XTEXT}{{1,100}}\Z")
_ret_re = re.compile(r"(?:FULL|HDRS)\Z", re.IGNORECASE | re.ASCII)
_size_re = re.compile(r"[0-9]{1,20}\Z")


@lru_cache(KEPT_LINES)
def split_command(line: bytes) -> tuple[str, str] | BadLine:
    """The verb in upper case, and its argument without spaces around it."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return BadLine.UNREADABLE
    if _control_re.search(text):
        return BadLine.UNREADABLE
    verb, _, argument = text.partition(" ")
    return verb.upper() if verb.isascii() else verb, argument.strip(" ")  # some letters have an ASCII upper case


def is_helo_name(name: str) -> bool:
    """Whether a HELO argument is printable ASCII of a bounded length; what it is a name of is for the rules."""
    return _helo_re.match(name) is not None


def parse_mail(argument: str, offered: Offer, *, envelope_id: str) -> Envelope | Reply:
    """Parse what follows "MAIL "."""
    match = _from_re.match(argument)
    if match is None:
        return replies.MAIL_SYNTAX
    path, rest = match.groups()
    try:
        sender = parse_reverse_path(path)
    except PathError as error:
        return reply("501 5.1.7", f"Bad sender: {error}")
    fields = _read_parameters(rest, offered.mail)
    if not isinstance(fields, dict):
        return fields
    envelope = Envelope(id=envelope_id, sender=sender, **fields)
    if not path.isascii() and not envelope.smtputf8:
        return replies.NEEDS_SMTPUTF8
    if envelope.size is not None and envelope.size > offered.max_size:
        return replies.TOO_LARGE
    return envelope


def parse_rcpt(argument: str, offered: Offer, envelope: Envelope) -> Recipient | Reply:
    """Parse what follows "RCPT "."""
    return _recipient(argument, offered.rcpt, smtputf8=envelope.smtputf8)


@lru_cache(KEPT_RECIPIENTS)
def _recipient(argument: str, offered: frozenset[str], *, smtputf8: bool) -> Recipient | Reply:
    match = _to_re.match(argument)
    if match is None:
        return replies.RCPT_SYNTAX
    path, rest = match.groups()
    try:
        address = parse_forward_path(path)
    except PathError as error:
        return reply("501 5.1.3", f"Bad recipient: {error}")
    fields = _read_parameters(rest, offered)
    if not isinstance(fields, dict):
        return fields
    if not path.isascii() and not smtputf8:
        return replies.NEEDS_SMTPUTF8
    return Recipient(address=address, **fields)


def _read_parameters(words: str | None, offered: frozenset[str]) -> dict[str, Any] | Reply:
    """The fields of Envelope or Recipient that the parameters (RFC 5321 section 4.1.2) set."""
    fields: dict[str, Any] = {}
    if not words:
        return fields
    seen: set[str] = set()
    for word in filter(None, words.split(" ")):
        match = _parameter_re.match(word)
        if match is None or (keyword := match[1].upper()) in seen:
            return replies.BAD_PARAMETER
        if keyword not in offered:
            return replies.UNKNOWN_PARAMETER
        seen.add(keyword)
        read = _PARAMETERS[keyword](match[2] or "")
        if read is None:
            return replies.BAD_PARAMETER
        fields |= read
        if keyword in _KEPT:
            fields["parameters"] = (*fields.get("parameters", ()), word)
    return fields


def _read_size(value: str) -> dict[str, Any] | None:
    return {"size": int(value)} if _size_re.match(value) else None


def _read_body(value: str) -> dict[str, Any] | None:
    body = _BODIES.get(value.upper())
    return {"body": body} if body else None


def _flag(field: str) -> "Reader":
    """A reader of what has no value."""
    return lambda value: None if value else {field: True}


def _only(pattern: re.Pattern[str]) -> "Reader":
    """A reader of what is passed on as it came, once it is known to be well-formed."""
    return lambda value: {} if pattern.match(value) else None


Reader = Callable[[str], dict[str, Any] | None]

_BODIES = {body.value: body for body in BodyType}
_PARAMETERS: Mapping[str, Reader] = {
    "SIZE": _read_size,
    "BODY": _read_body,
    "SMTPUTF8": _flag("smtputf8"),
    "REQUIRETLS": _flag("requiretls"),
    "RET": _only(_ret_re),
    "ENVID": _only(_envid_re),
    "NOTIFY": _only(_notify_re),
    "ORCPT": _only(_orcpt_re),
}
_KEPT = frozenset({"RET", "ENVID", "NOTIFY", "ORCPT"})
