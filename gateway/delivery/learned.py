"""Learned: turns the greetings of a route's hosts into what all of them can be relied on for.

EHLO of our own clients comes before it is known which host takes their mail. So an extension counts only while every
host had it when it was last greeted, and one that was never reached has none.
"""

from collections.abc import Sequence

from gateway.delivery.capabilities import Capabilities
from gateway.delivery.client import Terms, open_client
from gateway.delivery.endpoint import Endpoint
from gateway.delivery.wire import Broken


class Learned:
    """What is known of the hosts of one route. `carries` are the extensions that all have, by their keyword."""

    def __init__(self, endpoints: Sequence[Endpoint], terms: Terms) -> None:
        self._endpoints = frozenset(endpoints)
        self._terms = terms
        self._offered: dict[Endpoint, frozenset[str]] = {}
        self._ungreeted = set(endpoints)  # since they were last asked
        self.carries: frozenset[str] = frozenset()

    def note(self, endpoint: Endpoint, capabilities: Capabilities) -> None:
        """A host was greeted."""
        self._ungreeted.discard(endpoint)
        self._offered[endpoint] = frozenset(capabilities)
        if len(self._offered) == len(self._endpoints):
            self.carries = frozenset.intersection(*self._offered.values())

    async def ask(self) -> None:
        """Greet the hosts that nothing was brought to since this was last done. One that cannot be reached is as it
        was."""
        for endpoint in tuple(self._ungreeted):
            try:
                client = await open_client(endpoint, self._terms)
            except Broken:
                continue
            self.note(endpoint, client.capabilities)
            client.close()
        self._ungreeted = set(self._endpoints)
