"""Network addresses as people write them: "192.0.2.1:25", "[2001:db8::1]:25", "mx.example.org:25"."""

import re

_host_port_re = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]\s]+)):(\d{1,5})\Z")


def split_host_port(text: str) -> tuple[str, int]:
    """Split "HOST:PORT"; an IPv6 host stands in square brackets. Raises ValueError that says how it must look."""
    match = _host_port_re.match(text)
    if match is None or not int(match[3]) < 65536:
        raise ValueError("must be HOST:PORT, an IPv6 host in square brackets: 127.0.0.1:25 or [::1]:25")
    return match[1] or match[2], int(match[3])
