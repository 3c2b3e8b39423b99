"""Mailboxes: turns the value of a From field into the mailboxes that it names (RFC 5322 sections 3.4 and 4.4), or
into what is wrong with it.

Stricter than the obsolete grammar on purpose: what readers are known to take apart in different ways (white space or a
comment inside an address, an address or a route beside another one, encoded words in an address) is an error, not a
guess.
Linear in the length of the value, and never recursive.
"""

import re
from collections.abc import Iterator
from enum import IntEnum, StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from gateway.comments import end_of_comment
from gateway.domain import canonical_domain
from gateway.mentions import readable


class MailboxError(ValueError):
    """The field does not say clearly whom it names; the text says why, for people."""


class Mailbox(Struct, frozen=True):
    """`domain` is canonical, and "" where it is no domain name (an address literal, for example). `name` is the display
    name without its quotes, its encoded words as they are."""

    local: str
    domain: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


class _Kind(StrEnum):
    WORD = "word"  # a run of atom characters and dots
    QUOTED = "quoted"
    LITERAL = "literal"  # [192.0.2.1]
    SPECIAL = "special"  # one of <>@,;:


class _Gap(IntEnum):
    """What stands before a token."""

    NONE = 0
    SPACE = 1
    COMMENT = 2  # and perhaps white space


class _Token(NamedTuple):
    kind: _Kind
    text: str
    gap: _Gap

    def is_special(self, characters: str) -> bool:
        return self.kind is _Kind.SPECIAL and self.text in characters

    @property
    def unquoted(self) -> str:
        return _quoted_pair_re.sub(r"\1", self.text[1:-1]) if self.kind is _Kind.QUOTED else self.text


_token_re = re.compile(
    r'(?P<word>[^\s()<>@,;:"\[\]\\]+)'
    r'|(?P<quoted>"[^"\\]*+(?:\\.[^"\\]*+)*+")'
    r'|(?P<literal>\[[^()<>@,;"\[\]\\]*+\])'
    r"|(?P<special>[<>@,;:])"
    r"|(?P<space>\s+)",
    re.DOTALL,
)
_quoted_pair_re = re.compile(r"\\(.)", re.DOTALL)
_control_re = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def parse_mailboxes(value: bytes) -> tuple[Mailbox, ...]:
    """Every mailbox of an address list, those of its groups too. Raises MailboxError."""
    text = " ".join(value.decode("utf-8", "replace").split())
    return tuple(_mailboxes(list(_tokens(text))))


def _tokens(text: str) -> Iterator[_Token]:
    position, gap = 0, _Gap.NONE
    while position < len(text):
        if text[position] == "(":
            position, gap = end_of_comment(text, position), _Gap.COMMENT
            if position < 0:
                raise MailboxError("the From field has a comment that does not end")
            continue
        match = _token_re.match(text, position)
        if match is None or match.lastgroup is None:
            raise MailboxError(f"the From field cannot be understood from character {position + 1} on")
        position = match.end()
        if match.lastgroup == "space":
            gap = max(gap, _Gap.SPACE)
        else:
            yield _Token(kind=_Kind(match.lastgroup), text=match[0], gap=gap)
            gap = _Gap.NONE


def _mailboxes(tokens: list[_Token]) -> Iterator[Mailbox]:
    """Cut the list at commas, colons and semicolons; a name and a colon open a group, which may not hold another."""
    in_group = False
    start = position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.is_special("<"):
            position = _end_of_angle(tokens, position + 1)
        elif token.is_special(",;"):
            yield from _mailbox(tokens[start:position])
            start = position + 1
        if token.is_special(":;"):
            if in_group is token.is_special(":"):
                raise MailboxError(f"the From field has a {token.text!r} where no group begins or ends")
            if token.is_special(":") and (start == position or _has_at(tokens[start:position])):
                raise MailboxError("the From field has a group without a name")
            in_group = not in_group
            start = position + 1
        position += 1
    if in_group:
        raise MailboxError("the From field has a group that does not end")
    yield from _mailbox(tokens[start:])


def _end_of_angle(tokens: list[_Token], start: int) -> int:
    for position in range(start, len(tokens)):
        if tokens[position].is_special(">"):
            return position
    raise MailboxError("the From field has an angle bracket that does not close")


def _mailbox(tokens: list[_Token]) -> Iterator[Mailbox]:
    """The mailbox of one element; none where the element is empty, as in "a@example.org,,"."""
    opening = next((position for position, token in enumerate(tokens) if token.is_special("<")), None)
    if opening is not None:
        yield _named_mailbox(tokens[:opening], tokens[opening + 1 :])
    elif tokens:
        yield _bare_mailbox(tokens)


def _named_mailbox(name: list[_Token], rest: list[_Token]) -> Mailbox:
    """A mailbox in angle brackets, of which the second closes `rest`. The name before it may look like an address
    only if it is of the same domain: some readers show that one."""
    if not rest[-1].is_special(">") or any(token.gap is _Gap.COMMENT for token in rest):
        raise MailboxError("the From field has text behind an address in angle brackets, or a comment within")
    mailbox = _bare_mailbox(rest[:-1])
    if _has_at(name) and _bare_mailbox(name).domain != mailbox.domain:
        raise MailboxError("the From field has an address of another domain before the one in angle brackets")
    return replace(mailbox, name=_display_name(name))


def _display_name(tokens: list[_Token]) -> str:
    return "".join(" " * (token.gap is not _Gap.NONE) + token.unquoted for token in tokens).strip()


def _bare_mailbox(tokens: list[_Token]) -> Mailbox:
    """local-part "@" domain, with nothing between its tokens."""
    at = [position for position, token in enumerate(tokens) if token.is_special("@")]
    if len(at) != 1:
        raise MailboxError("the From field has something that is not one address")
    if any(token.gap is not _Gap.NONE for token in tokens[1:]):
        raise MailboxError("the From field has white space or a comment inside an address")
    local, domain = tokens[: at[0]], tokens[at[0] + 1 :]
    if len(domain) != 1 or not local or any(token.kind not in (_Kind.WORD, _Kind.QUOTED) for token in local):
        raise MailboxError("the From field has an address without a local part or a domain")
    return Mailbox(local=_local_part(local), domain=canonical_domain(domain[0].text))


def _local_part(tokens: list[_Token]) -> str:
    local = "".join(token.text for token in tokens)
    if "=?" in local and "?=" in local:
        raise MailboxError("the From field has an encoded word inside an address")
    if "@" in readable(local) or _control_re.search(local):
        raise MailboxError("the From field has a local part that readers could take for another address")
    return local


def _has_at(tokens: list[_Token]) -> bool:
    return any(token.is_special("@") for token in tokens)
