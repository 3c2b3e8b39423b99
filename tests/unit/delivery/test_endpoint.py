import pytest

from gateway.delivery.endpoint import Endpoint, Protocol, parse_endpoint


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("smtp://mail.example.org:2525", Endpoint(Protocol.SMTP, "mail.example.org", 2525)),
        ("smtp://[2001:db8::1]:25", Endpoint(Protocol.SMTP, "2001:db8::1", 25)),
        ("lmtp://127.0.0.1:24", Endpoint(Protocol.LMTP, "127.0.0.1", 24)),
        ("lmtp+unix:///run/dovecot/lmtp", Endpoint(Protocol.LMTP, path="/run/dovecot/lmtp")),
    ],
)
def test_an_endpoint_is_read_and_written(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint
    assert str(endpoint) == text


def test_the_port_of_the_protocol_is_the_default() -> None:
    assert parse_endpoint("smtp://mail").port == 25
    assert parse_endpoint("lmtp://mail").port == 24


@pytest.mark.parametrize(
    "text",
    [
        "mail:25",
        "http://mail",
        "smtp://",
        "smtp://mail:0",
        "smtp://mail:65536",
        "smtp://a b",
        "smtp://2001:db8::1:25",
        "lmtp+unix://relative",
        "smtp://mail:25/path",
        "smtp://mail\n",
        "SMTP://mail",
    ],
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"smtp://host:port|no port"):
        parse_endpoint(text)
