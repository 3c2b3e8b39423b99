"""Line ends: turns text with any of CRLF, LF and CR into the CRLF that SMTP carries (RFC 5321 section 2.3.8)."""

import re

_line_end_re = re.compile(rb"\r\n|\r|\n")


def to_crlf(text: bytes) -> bytes:
    """Bring every line end to CRLF, as files on disk need before they are a message on the wire."""
    return _line_end_re.sub(b"\r\n", text)
