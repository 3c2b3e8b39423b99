"""Settings of delivery: which keys of the configuration say where mail goes, and with which patience."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.delivery.client import TlsMode
from gateway.delivery.downstream import Identify
from gateway.delivery.endpoint import parse_endpoint
from gateway.settings import Section

MAILDIR = "maildir://"
DEFAULT_ROUTE = "default"


def _checked_host(text: str) -> str:
    if not text.startswith(MAILDIR):
        parse_endpoint(text)
    elif not text.startswith(f"{MAILDIR}/"):
        raise ValueError(f"{text!r} is not of the form maildir:///absolute/path")
    return text


Host = Annotated[str, AfterValidator(_checked_host)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


class RouteSettings(Section):
    """A place that takes mail, and how it is dealt with."""

    hosts: tuple[Host, ...] = Field(min_length=1)
    """Where mail goes, in order; the next one is tried where one cannot be reached. Each is smtp://HOST:PORT,
    lmtp://HOST:PORT or lmtp+unix:///PATH, or one alone is maildir:///PATH. Literal IPv6 addresses stand in brackets."""

    tls: TlsMode = TlsMode.OPPORTUNISTIC
    """never; opportunistic: STARTTLS where it is offered, with any certificate; required: no mail without TLS, with any
    certificate; verified: the certificate must name the host and be signed by a known authority."""

    tls_authorities: str = ""
    """A PEM file with the authorities that tls = "verified" believes; empty: those of the system."""

    identify: Identify = Identify.AUTO
    """How the server is told who the true client is. auto: XFORWARD where it is offered, else XCLIENT (then each
    connection serves one client); xforward: only that; never."""

    max_connections: Count = 40
    """Connections to the route in all, of all workers together. Where one has none left, those that have no work in
    another are closed for it."""

    max_held: Count = 20
    """How many of them may wait for senders that are not done with RCPT; beyond it a transaction is left and
    replayed."""

    hold: Annotated[float, Field(ge=0)] = 5
    """Seconds that a transaction is held open at the server while its sender is not done."""

    connect_timeout: Seconds = 10
    """Seconds for a connection to a host to stand."""

    command_timeout: Seconds = 30
    """Seconds for the answer to a command."""

    transfer_timeout: Seconds = 120
    """Seconds from the sender's end of the message to our end of it at the server, all attempts included."""

    final_timeout: Seconds = 630
    """Seconds for the answer to the end of the message. Senders wait 600 s (RFC 5321 section 4.5.3.2.6); the answer
    must not be missed while they still do."""

    idle_timeout: Seconds = 60
    """Seconds after which a connection without work is closed. Servers close it after some minutes themselves."""

    max_age: Seconds = 300
    """Seconds after which a connection is not used again, so that a host that is back gets its mail again."""

    max_messages: Count = 100
    """Messages after which a connection is not used again."""

    retry_dead: Annotated[float, Field(ge=0)] = 30
    """Seconds during which a host that could not be reached is tried last."""

    @model_validator(mode="after")
    def _hosts_go_together(self) -> Self:
        kinds = {host.partition(":")[0].partition("+")[0] for host in self.hosts}
        if len(kinds) > 1 or (kinds == {"maildir"} and len(self.hosts) > 1):
            raise ValueError("the hosts of a route are all smtp, all lmtp, or one maildir")
        return self


class DomainSettings(Section):
    """How mail for a domain is judged and goes on, where it is not as for the others."""

    route: str = DEFAULT_ROUTE
    """The name of a route."""

    verify: bool = True
    """Whether the server is asked for each recipient while the client waits. Without it every recipient of the domain
    is accepted at RCPT, and an unknown one is refused only after the message."""

    profile: str = ""
    """The name of a profile, whose rules judge its mail."""
