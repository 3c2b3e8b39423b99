"""Encoded words: turns the value of an unstructured field into the text that a reader shows (RFC 2047). To show and
compare, never to send on."""

import binascii
import encodings
import pkgutil
import re
from encodings.aliases import aliases

MAX_SHOWN = 1000  # octets that are decoded; more of a field than one line holds is shown by no reader

# Spaces and question marks may not stand in a word (RFC 2047 section 2), but many write them, and readers decode them.
_encoded_word_re = re.compile(
    r"=\?([A-Za-z0-9_.:-]{1,40})(?:\*[A-Za-z-]*)?\?([BbQq])\?((?:[^?=]|=(?!\?[^=])|\?(?!=))*)\?=(\s+(?==\?))?"
)

# Python keeps every name that it was asked for, known or not, for ever; so it is asked for those that it has, spelt in
# one way. The five are no charsets of mail, and the work of two of them is quadratic.
_NO_CHARSETS = frozenset(("idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"))
_CHARSETS = frozenset((*aliases, *(module.name for module in pkgutil.iter_modules(encodings.__path__)))) - _NO_CHARSETS


def decode_words(value: bytes) -> str:
    """Decode the first MAX_SHOWN octets of a field's value. What cannot be decoded stays as it is."""
    text = b" ".join(value[:MAX_SHOWN].split()).decode("utf-8", "replace")
    if "=?" not in text:  # as in most fields
        return text
    shown = _encoded_word_re.sub(_decoded, text)
    return shown.encode("utf-8", "replace").decode()  # some charsets spell lone surrogates, which nothing can encode


def hides_words(value: bytes) -> bool:
    """Whether a value can have encoded words where none are decoded any more."""
    return len(value) > MAX_SHOWN and b"=?" in value


def decode_octets(octets: bytes, charset: str) -> str | None:
    """The text of octets in a charset of mail; None where it is none that is known, or no charset at all."""
    name = encodings.normalize_encoding(charset).lower()
    try:
        return octets.decode(name, "replace") if name in _CHARSETS else None
    except (ValueError, LookupError):  # names that Python has for other things than charsets
        return None


def _decoded(word: re.Match[str]) -> str:
    charset, encoding, encoded = word[1], word[2], word[3]
    try:
        octets = _OCTETS[encoding.upper()](encoded.encode())
    except ValueError:  # bad base64
        return word[0]
    decoded = decode_octets(octets, charset)
    return word[0] if decoded is None else decoded


def _from_base64(encoded: bytes) -> bytes:
    digits = encoded.replace(b" ", b"")
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _from_quoted(encoded: bytes) -> bytes:
    return binascii.a2b_qp(encoded, header=True)


_OCTETS = {"B": _from_base64, "Q": _from_quoted}
