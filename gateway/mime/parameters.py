"""Parameters: the value of a Content-Type or Content-Disposition field to its first word and the file names in it.

RFC 2045 section 5.1, with the continuations and charsets of RFC 2231, and with the encoded words (RFC 2047) that mail
programs write in spite of it. Readers differ in what they make of a broken field, so every reading counts that some
reader may have. Linear, and pure.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from gateway.comments import end_of_comment, without_comments
from gateway.encodedwords import MAX_SHOWN, decode_octets, decode_words
from gateway.mentions import readable

MAX_FIELD = 8192  # octets of a field that are looked at
MAX_NAME = 255  # characters of a file name, of which the last ones count
MAX_NAMES = 8  # of one field

_piece_re = re.compile(r'(?:"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[^";])++', re.DOTALL)
_quoted_re = re.compile(r'"((?:[^"\\]|\\.)*+)', re.DOTALL)
_quoted_or_comment_re = re.compile(r'("(?:[^"\\]|\\.)*+(?:"|\\?\Z))|\(', re.DOTALL)
_quoted_pair_re = re.compile(r'\\(["\\])')  # of others the backslash stays: programs write it in paths
_number_re = re.compile(r"\*(\d{1,3})\Z")
_type_re = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+\Z")
_control_re = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Parameter = tuple[str, str]


def text_of(value: bytes) -> str:
    """The text of a field's value, of which no more than MAX_FIELD octets are looked at."""
    return " ".join(value[:MAX_FIELD].decode("utf-8", "replace").split())


def first_word(text: str) -> str:
    """What stands before the parameters, in lower case: "text/plain", "attachment"."""
    return without_comments(text.partition(";")[0]).strip().lower()


def is_media_type(word: str) -> bool:
    return _type_re.match(word) is not None


def parameters(text: str) -> Iterator[Parameter]:
    """The parameters as they stand, their names in lower case; quotes and backslashes are taken away."""
    for piece in _piece_re.findall(text)[1:]:
        name, equals, value = piece.partition("=")
        if equals:
            yield name.strip().lower(), _unquoted(value.strip())


def values(text: str, name: str) -> list[str]:
    """Every value that a parameter may have: of each time that it is there, also as readers have it that know
    comments."""
    found = [value for reading in _readings(text) for key, value in parameters(reading) if key == name]
    return list(dict.fromkeys(found))


def file_names(text: str, name: str) -> list[str]:
    """The file names that a parameter may give, in lower case, without a path and without invisible characters."""
    raw = (one for reading in _readings(text) for one in _assembled(list(parameters(reading)), name))
    shown = (_shown(one) for one in raw)
    return [one for one in dict.fromkeys(shown) if one][:MAX_NAMES]


def _readings(text: str) -> tuple[str, ...]:
    return (text, _without_comments(text)) if "(" in text else (text,)


def _without_comments(text: str) -> str:
    """The text without its comments; what stands in quotes is none."""
    kept, at = [], 0
    while match := _quoted_or_comment_re.search(text, at):
        kept.append(text[at : match.end() if match[1] else match.start()])
        end = match.end() if match[1] else end_of_comment(text, match.start())
        at = end if end >= 0 else len(text)
    return "".join(kept) + text[at:]


def _unquoted(value: str) -> str:
    quoted = _quoted_re.match(value)
    return _quoted_pair_re.sub(r"\1", quoted[1]) if quoted else value


def _assembled(found: list[Parameter], name: str) -> Iterator[str]:
    """name, name* with a charset, and the numbered pieces name*0, name*1*, put together (RFC 2231 sections 3 and 4)."""
    pieces: dict[int, str] = {}
    charset = ""
    for key, value in found:
        base, star, _ = key.partition("*")
        if base != name:
            continue
        plain = key.removesuffix("*")
        number = _number_re.search(plain)
        if not star:
            yield decode_words(value.encode()) if len(value) <= MAX_SHOWN else value
        elif number is None:
            if key == f"{name}*":
                yield _decoded(*_charset_and_text(value))
        elif plain == key:
            pieces.setdefault(int(number[1]), value)
        else:
            stated, text = _charset_and_text(value) if int(number[1]) == 0 else ("", value)
            charset = stated or charset
            pieces.setdefault(int(number[1]), _decoded(charset, text))
    if pieces:
        yield "".join(pieces[number] for number in sorted(pieces))


def _charset_and_text(value: str) -> tuple[str, str]:
    charset, quote, rest = value.partition("'")
    _, other_quote, text = rest.partition("'")
    return (charset, text) if quote and other_quote else ("", value)


def _decoded(charset: str, text: str) -> str:
    octets = unquote_to_bytes(text)
    decoded = decode_octets(octets, charset) if charset else None
    return octets.decode("utf-8", "replace") if decoded is None else decoded


def _shown(name: str) -> str:
    """The last part of a path, without what ends a name on some systems and is not seen: dots and spaces."""
    plain = _control_re.sub("", readable(name[-4 * MAX_NAME :])).replace("\\", "/").lower()
    return plain.rpartition("/")[2].strip().rstrip(". ")[-MAX_NAME:]
