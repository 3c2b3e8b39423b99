"""SPAMC/1.5: requests to octets, and spamd's octets to replies. Pure.

The protocol is described by SpamAssassin's own spamd/PROTOCOL. One request stands on one connection; spamd closes it
after the reply. What spamd sends is not believed until it has been checked: anything odd raises ReplyError.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from gateway.printable import printable

VERSION = "SPAMC/1.5"
MAX_HEAD = 8192  # octets of a reply's status line and fields; spamd sends under 200
MAX_BODY = 65536  # octets of a reply's body; the names of every rule of a scan are a few hundred
NO_FIELDS: Mapping[str, str] = MappingProxyType({})
MAX_SYMBOLS = 1000  # rules that one message may hit; all shipped rules are 2,000, a bad spam hits 50

_status_re = re.compile(rb"SPAMD/\d\.\d{1,2} (\d{1,3})(?: ([^\r\n]*))?\Z")
_field_re = re.compile(rb"([A-Za-z][A-Za-z0-9-]{0,63}): *([^\r\n]*)\Z")
_length_re = re.compile(r"\d{1,9}\Z")
_number = r"-?\d{1,6}(?:\.\d{1,6})?"
_spam_re = re.compile(rf"(True|False|Yes|No) ; ({_number}) / ({_number})\Z")
_symbols_re = re.compile(r"[A-Za-z0-9_]{1,128}(?:,[A-Za-z0-9_]{1,128})*\Z")


class Command(StrEnum):
    SYMBOLS = "SYMBOLS"  # score a message; the reply's body names the rules that it hit
    TELL = "TELL"  # learn a message, or forget it
    PING = "PING"  # is anyone there?


class ReplyError(ValueError):
    """The reply cannot be believed: it is cut off, too large, or not what the protocol says."""


class CutOff(ReplyError):
    """The connection ended before the reply did."""


class Reply(Struct, frozen=True):
    """One reply of spamd, complete. Names of `fields` are in lower case."""

    code: int  # of sysexits.h; 0 is success
    text: str  # the words after the code: EX_OK, PONG, or what went wrong; printable ASCII
    fields: Mapping[str, str]
    body: bytes = b""


class Score(Struct, frozen=True):
    """What spamd thinks of a message. All numbers are finite."""

    is_spam: bool
    score: float
    required: float
    symbols: tuple[str, ...]


def request(
    command: Command, *, size: int | None = None, user: str = "", fields: Mapping[str, str] = NO_FIELDS
) -> bytes:
    """The head of a request; `size` octets of a message follow it. `user` and further `fields` must be printable."""
    all_fields = {} if size is None else {"Content-length": str(size)}
    if user:
        all_fields["User"] = user
    all_fields |= fields
    lines = [f"{command} {VERSION}", *(f"{name}: {value}" for name, value in all_fields.items()), "", ""]
    return "\r\n".join(lines).encode()


class ReplyParser:
    """Takes a reply in pieces of any size. `feed` and `end` return it once it is complete, and raise ReplyError."""

    __slots__ = ("_head", "_max_body", "_max_head", "_pending")

    def __init__(self, *, max_head: int = MAX_HEAD, max_body: int = MAX_BODY) -> None:
        self._max_head = max_head
        self._max_body = max_body
        self._head: Reply | None = None
        self._pending = bytearray()

    def feed(self, data: bytes) -> Reply | None:
        self._pending += data
        if self._head is None:
            self._head = self._take_head()
        return self._complete() if self._head else None

    def end(self) -> Reply:
        """The connection is closed. A status line alone is a whole reply: PONG and errors have no empty line."""
        line, newline, rest = bytes(self._pending).partition(b"\r\n")
        if self._head is not None or not newline or rest:
            raise CutOff("the connection ended before the reply did")
        return _parse_status(line)

    def _take_head(self) -> Reply | None:
        end = self._pending.find(b"\r\n\r\n", 0, self._max_head)
        if end < 0:
            if len(self._pending) >= self._max_head:
                raise ReplyError(f"the reply's head is larger than {self._max_head} octets")
            return None
        head = _parse_head(bytes(self._pending[:end]))
        del self._pending[: end + 4]
        return head

    def _complete(self) -> Reply | None:
        assert self._head is not None
        length = _body_length(self._head.fields)
        if length is None:
            return self._head
        if length > self._max_body:
            raise ReplyError(f"the reply's body is larger than {self._max_body} octets")
        if len(self._pending) > length:
            raise ReplyError("the reply's body is longer than its Content-length")
        if len(self._pending) < length:
            return None
        return Reply(code=self._head.code, text=self._head.text, fields=self._head.fields, body=bytes(self._pending))


def parse_score(reply: Reply) -> Score:
    """Read the reply to SYMBOLS. Raises ReplyError."""
    if "content-length" not in reply.fields:
        raise ReplyError("the reply has no Content-length")
    match = _spam_re.match(reply.fields.get("spam", ""))
    if match is None:
        raise ReplyError("the reply has no score that can be read")
    return Score(
        is_spam=match[1] in ("True", "Yes"),
        score=float(match[2]),
        required=float(match[3]),
        symbols=_parse_symbols(reply.body),
    )


def _parse_symbols(body: bytes) -> tuple[str, ...]:
    text = body.decode("ascii", "replace").strip("\r\n")
    if not text:
        return ()
    if _symbols_re.match(text) is None:
        raise ReplyError("the reply's list of rules cannot be read")
    symbols = tuple(text.split(","))
    if len(symbols) > MAX_SYMBOLS:
        raise ReplyError(f"the reply names more than {MAX_SYMBOLS} rules")
    return symbols


def _parse_head(head: bytes) -> Reply:
    status, *lines = head.split(b"\r\n")
    reply = _parse_status(status)
    fields: dict[str, str] = {}
    for line in lines:
        match = _field_re.match(line)
        if match is None:
            raise ReplyError("the reply has a line that is no field")
        name = match[1].decode("ascii").lower()
        if name in fields:
            raise ReplyError(f"the reply has the field {name} twice")
        fields[name] = match[2].decode("ascii", "replace").strip()
    return Reply(code=reply.code, text=reply.text, fields=fields)


def _parse_status(line: bytes) -> Reply:
    match = _status_re.match(line)
    if match is None:
        raise ReplyError("the answer is not spamd's")
    text = printable(match[2] or b"")
    return Reply(code=int(match[1]), text=text, fields={})


def _body_length(fields: Mapping[str, str]) -> int | None:
    length = fields.get("content-length")
    if length is None:
        return None
    if _length_re.match(length) is None:
        raise ReplyError("the reply's Content-length is no number")
    return int(length)
