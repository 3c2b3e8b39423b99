"""The gateway as it is measured: all checks, the shipped rules, log and journal on; spamd where it is asked for."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.bench.traffic import Sink
from tests.support.gateway import RunningGateway, running_gateway

# The sink takes any number of connections, and no peer bounds them: a hundred are what Postfix has by default.
MORE = """\
[route.default]
hosts = ["smtp://127.0.0.1:{port}"]
tls = "never"
max_connections = 100
max_held = 50

[session]
max_connections = {connections}
max_connections_per_address = {connections}
max_connections_per_prefix = {connections}

[spamd]
{spamd}
"""


@contextlib.contextmanager
def gateway_before(
    behind: Sink,
    root: Path,
    *,
    dns: str,
    workers: int,
    connections: int = 2100,
    spamd: str = "enabled = false",
    more: str = "",
) -> Iterator[RunningGateway]:
    """`connections` is the limit of open ones, also from one address, since the generator has few. `spamd` are the
    settings of that table."""
    text = MORE.format(port=behind.port, connections=connections, spamd=spamd) + more
    with running_gateway(root, dns=dns, more=text, workers=workers, journal="enabled = true") as gateway:
        yield gateway
