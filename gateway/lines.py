"""Line ends: turns text with any of CRLF, LF and CR into the CRLF that SMTP carries (RFC 5321 section 2.3.8)."""

import re

_line_end_re = re.compile(rb"\r\n|\r|\n")
_lone_lf_re = re.compile(rb"(?<!\r)\n")


def to_crlf(text: bytes) -> bytes:
    """Bring every line end to CRLF, as files on disk need before they are a message on the wire."""
    return _line_end_re.sub(b"\r\n", text)


def as_sent(text: bytes) -> bytes:
    """What a client would send that has `text` in a file. The first line says whose line ends a file has: with those of
    mail it is sent as it is; else each LF is a line end, and a CR before none stays what it is."""
    first = text.find(b"\n")
    return text if first > 0 and text[first - 1 : first] == b"\r" else _lone_lf_re.sub(b"\r\n", text)
