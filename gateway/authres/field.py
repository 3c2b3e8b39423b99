"""The Authentication-Results field (RFC 8601): values to octets and octets to values, an inverse pair.

`parse(build(results)) == clean(results)`, whatever the values are, and so for the ARC field. What `clean` takes from a
value are the characters with which its author could speak in our name to a reader that does not parse the field but
searches it.
"""

import re
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from gateway.authres.folding import fold, plain
from gateway.authres.scanner import TOKEN, AuthresError, Scanner

__all__ = [
    "AuthenticationResults",
    "AuthresError",
    "MethodResult",
    "Property",
    "build",
    "build_arc",
    "clean",
    "parse",
    "parse_arc",
    "parse_value",
]

NAME = "Authentication-Results"
ARC_NAME = "ARC-Authentication-Results"
MAX_VALUE = 400  # characters of a value; with every one of them escaped a line stays below 998 (RFC 5322 section 2.1.1)
REMEMBERED = 2000  # results as they are written, of at most some KB each: senders and clients come again, so do theirs
VERSION = "1"  # of the field and of every method: the only one there is

_keyword_re = re.compile(r"[a-z0-9-]*[a-z0-9]\Z")
_token_re = re.compile(rf"{TOKEN}\Z")
_pvalue_re = re.compile(rf"(?!\?)(?:{TOKEN}|{Scanner.ADDRESS})\Z")  # "=" and "?" would begin an encoded word
_harmless = r"[A-Za-z0-9._@:/+-]++"
_harmless_re = re.compile(rf"(?!.{{401}})(?:{_harmless}(?: {_harmless})*)?\Z")  # most values: nothing is to be cleaned
_bare_re = re.compile(r"[A-Za-z0-9._+-]{1,400}\Z")  # and of most there is nothing to quote either
_claim_re = re.compile(r"\s*=\s*(?=pass)", re.IGNORECASE)
_encoded_word_re = re.compile(r"=+(?=\?)")  # its beginning, RFC 2047 section 2
_QUOTED_PAIRS = str.maketrans({'"': r"\"", "\\": r"\\"})
_COMMENT_CHARACTERS = str.maketrans("()\\", "[]/")  # many readers do not know escaped parentheses


class Property(Struct, frozen=True, gc=False):
    """One propspec: Property("smtp", "mailfrom", "example.org"), RFC 8601 section 2.3."""

    ptype: str
    name: str
    value: str


class MethodResult(Struct, frozen=True, gc=False):
    """One resinfo: a method, its result word (RFC 8601 section 2.7), why, a comment for people, and what was looked
    at."""

    method: str
    result: str
    reason: str = ""
    properties: tuple[Property, ...] = ()
    comment: str = ""


class AuthenticationResults(Struct, frozen=True, gc=False):
    authserv_id: str
    results: tuple[MethodResult, ...]  # empty: "none"


def build(results: AuthenticationResults, *, beginning: str = f"{NAME}:") -> bytes:
    """The whole field with its CRLF, in ASCII, one result a line, from what stands before our id, which is a text of
    ours. Raises ValueError where a word of ours (method, result, ptype, property) is no keyword; values may hold
    anything."""
    lines = [_first_line(beginning, results.authserv_id)]
    lines += [_of_signature(one) if one.method == "dkim" else _resinfo(one) for one in results.results] or [" none"]
    return (";\r\n".join(lines) + "\r\n").encode("ascii")


def build_arc(instance: int, results: AuthenticationResults) -> bytes:
    """As `build`, the ARC-Authentication-Results field of one ARC set (RFC 8617 section 4.1.1)."""
    return build(results, beginning=f"{ARC_NAME}: i={instance};")


def clean(results: AuthenticationResults) -> AuthenticationResults:
    """What `build` writes of `results`: words of ours in lower case, values without what could speak in our name."""
    return AuthenticationResults(
        authserv_id=clean_value(results.authserv_id),
        results=tuple(_clean_result(result) for result in results.results),
    )


def parse(field: bytes) -> AuthenticationResults:
    """Read a whole field as `build` makes it. Raises AuthresError."""
    name, _, value = field.partition(b":")
    if name.strip().lower() != NAME.lower().encode():
        raise AuthresError(f"not an {NAME} field")
    return parse_value(value)


def parse_value(value: bytes) -> AuthenticationResults:
    """Read what follows the colon (authres-payload, RFC 8601 section 2.2). Raises AuthresError."""
    return _payload(Scanner(value))


def parse_arc(value: bytes) -> tuple[int, AuthenticationResults]:
    """Read the value of an ARC-Authentication-Results field: its instance and its payload (RFC 8617 section 4.1.1).
    Raises AuthresError."""
    scanner = Scanner(value)
    scanner.skip()
    if scanner.keyword() != "i":
        raise AuthresError("there is no instance")
    scanner.expect("=")
    instance = scanner.digits()
    scanner.expect(";")
    if not 1 <= len(instance) <= 2 or int(instance) == 0:
        raise AuthresError("the instance is no number from 1 to 50")
    return int(instance), _payload(scanner)


@lru_cache(64)
def _first_line(beginning: str, authserv_id: str) -> str:
    """We have one id, and there are 50 instances of an ARC set."""
    return fold(f"{beginning} {_written(authserv_id, _token_re)}")


def _clean_result(result: MethodResult) -> MethodResult:
    return MethodResult(
        method=_keyword(result.method),
        result=_keyword(result.result),
        reason=clean_value(result.reason),
        properties=tuple(
            Property(_keyword(one.ptype), _keyword(one.name), clean_value(one.value)) for one in result.properties
        ),
        comment=_clean_comment(result.comment),
    )


def clean_value(value: str) -> str:
    """No semicolon and no "=pass", also within quotes: SpamAssassin's SPF plugin and many a mail filter look for
    "; spf=" or "dmarc=pass" anywhere in the field. And no encoded word: SpamAssassin decodes them before it parses."""
    if _harmless_re.match(value):
        return value
    unclaimed = _claim_re.sub("?", plain(value[:MAX_VALUE]).replace(";", "?"))
    return _encoded_word_re.sub("?", unclaimed)


def _clean_comment(comment: str) -> str:
    return comment if _harmless_re.match(comment) else clean_value(comment.translate(_COMMENT_CHARACTERS))


@lru_cache(256)
def _keyword(word: str) -> str:
    """A word of ours; there are some dozens of them."""
    lowered = word.lower()
    if _keyword_re.match(lowered) is None:
        raise ValueError(f"{word!r} is not a keyword of {NAME}")
    return lowered


@lru_cache(REMEMBERED)
def _resinfo(result: MethodResult) -> str:
    """On a line of its own, or more where it is long."""
    return fold(_stated(result.method, result.result, result.comment, result.reason, result.properties))


def _of_signature(result: MethodResult) -> str:
    """The same of a signature. Its last property is its b=, which no other letter has: what stands before it is what
    comes again."""
    if not result.properties:
        return _resinfo(result)
    usual, last = result.properties[:-1], result.properties[-1]
    lines, line = _begun(result.method, result.result, result.comment, result.reason, usual, last.ptype, last.name)
    return lines + fold(line + _written(last.value, _pvalue_re))


def _stated(method: str, result: str, comment: str, reason: str, properties: tuple[Property, ...]) -> str:
    parts = [f" {_keyword(method)}={_keyword(result)}"]
    if comment and (cleaned := _clean_comment(comment)):
        parts.append(f"({cleaned})")
    if reason and (cleaned := clean_value(reason)):
        parts.append(f"reason={_quoted(cleaned)}")
    return " ".join([*parts, *map(_propspec, properties)])


@lru_cache(REMEMBERED)
def _begun(
    method: str, result: str, comment: str, reason: str, properties: tuple[Property, ...], ptype: str, name: str
) -> tuple[str, str]:
    """All to the equals sign of the last property: the lines that are full, and the one that goes on."""
    line = f"{_stated(method, result, comment, reason, properties)} {_keyword(ptype)}.{_keyword(name)}="
    lines, line_end, last = fold(line).rpartition("\r\n")
    return lines + line_end, last


def _propspec(stated: Property) -> str:
    return f"{_keyword(stated.ptype)}.{_keyword(stated.name)}={_written(stated.value, _pvalue_re)}"


def _written(value: str, as_it_is: re.Pattern[str]) -> str:
    """A value as RFC 8601 section 2.2 has it: as it is where its place allows that, else in quotes."""
    if _bare_re.match(value):
        return value
    cleaned = clean_value(value)
    return cleaned if as_it_is.match(cleaned) else _quoted(cleaned)


def _quoted(value: str) -> str:
    return f'"{value.translate(_QUOTED_PAIRS)}"'


def _payload(scanner: Scanner) -> AuthenticationResults:
    scanner.skip()
    authserv_id = scanner.value()
    if scanner.skip() and scanner.at_digit() and scanner.digits() != VERSION:
        raise AuthresError("the version of the field is not known")
    results: list[MethodResult] = []
    while not scanner.at_end() or not results:
        scanner.expect(";")
        if not results and scanner.accept_none():
            break
        results.append(_read_resinfo(scanner))
    return AuthenticationResults(authserv_id=authserv_id, results=tuple(results))


def _read_resinfo(scanner: Scanner) -> MethodResult:
    method = scanner.keyword()
    if scanner.accept("/") and scanner.digits() != VERSION:
        raise AuthresError(f"the version of the method {method} is not known")
    scanner.expect("=")
    result = MethodResult(method=method, result=scanner.keyword())
    apart = scanner.skip()
    result = replace(result, comment=scanner.comment)
    if scanner.at_end() or scanner.at(";"):
        return result
    if not apart:
        raise AuthresError(f"the result of {method} is followed by something else")
    return _read_details(scanner, result)


def _read_details(scanner: Scanner, result: MethodResult) -> MethodResult:
    """[reasonspec] *propspec."""
    properties: list[Property] = []
    while not (scanner.at_end() or scanner.at(";")):
        word = scanner.keyword()
        if word == "reason" and not (properties or result.reason) and scanner.accept("="):
            result = replace(result, reason=scanner.value())
            scanner.skip()
            continue
        scanner.expect(".")
        name = scanner.keyword()
        scanner.expect("=")
        properties.append(Property(ptype=word, name=name, value=scanner.property_value()))
        scanner.skip()
    return replace(result, properties=tuple(properties))
