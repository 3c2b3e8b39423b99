"""Encoded words: turns the value of an unstructured field into the text that a reader shows (RFC 2047). To show and
compare, never to send on."""

import binascii
import re

MAX_SHOWN = 1000  # octets that are decoded; more of a field than one line holds is shown by no reader

_encoded_word_re = re.compile(r"=\?([A-Za-z0-9_.:-]{1,40})(?:\*[A-Za-z-]*)?\?([BbQq])\?([^?\s]*)\?=(\s+(?==\?))?")


def decode_words(value: bytes) -> str:
    """Decode the first MAX_SHOWN octets of a field's value. What cannot be decoded stays as it is."""
    text = b" ".join(value[:MAX_SHOWN].split()).decode("utf-8", "replace")
    shown = _encoded_word_re.sub(_decoded, text)
    return shown.encode("utf-8", "replace").decode()  # some charsets spell lone surrogates, which nothing can encode


def _decoded(word: re.Match[str]) -> str:
    charset, encoding, encoded = word[1], word[2], word[3]
    try:
        octets = _OCTETS[encoding.upper()](encoded.encode())
        return octets.decode(charset, "replace")
    except (ValueError, LookupError):
        return word[0]


def _from_base64(encoded: bytes) -> bytes:
    return binascii.a2b_base64(encoded + b"=" * (-len(encoded) % 4))


def _from_quoted(encoded: bytes) -> bytes:
    return binascii.a2b_qp(encoded, header=True)


_OCTETS = {"B": _from_base64, "Q": _from_quoted}
