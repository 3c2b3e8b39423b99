"""HOST:PORT as people write it."""

import pytest

from gateway.addresses import split_host_port


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.1:25", "192.0.2.1", 25),
        ("[2001:db8::1]:25", "2001:db8::1", 25),
        ("mx.example.org:10025", "mx.example.org", 10025),
        ("localhost:0", "localhost", 0),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_host_and_port_are_split(text: str, host: str, port: int) -> None:
    assert split_host_port(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    ["", "25", "host", "host:", ":25", "host:65536", "host:-1", "host:2 5", "::1:25", "[::1]", "[]:25", "a b:25",
     "host:25\n", "host:999999"],
)  # fmt: skip
def test_anything_else_is_told_how_it_must_look(text: str) -> None:
    with pytest.raises(ValueError, match="must be HOST:PORT"):
        split_host_port(text)
