"""Trust: turns our networks and our authserv-id into SpamAssassin's configuration, so that it trusts what we do. Pure.

SpamAssassin walks the Received fields from the top while their clients are in trusted_networks; the first that is not
is the relay whose address, name and reputation it judges. Our own Received field is the topmost, so that relay is our
client, unless the client is one of ours.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

Network = IPv4Network | IPv6Network

# SpamAssassin trusts these always, and warns where they are named.
_LOOPBACK_4 = IPv4Network("127.0.0.0/8")
_LOOPBACK_6 = IPv6Network("::1/128")

_authserv_id_re = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?\Z")


def render_trust(own_networks: Sequence[Network], relay_networks: Sequence[Network], authserv_id: str) -> str:
    """The text of a .cf file. Raises ValueError where the authserv-id is no name of host.

    Own networks and relay partners are both internal: beyond a relay partner it is the partner's client that is judged,
    as with SPF. With no network at all the lists are still configured: SpamAssassin would otherwise guess, and trust
    every private address.
    """
    if _authserv_id_re.match(authserv_id) is None:
        raise ValueError(f"the authserv-id {authserv_id!r} is not a host name")
    networks = [str(network) for network in _distinct([*own_networks, *relay_networks])] or ["!0.0.0.0/0"]
    return "\n".join(
        (
            "# Written by mailward from its own configuration.",
            *(f"trusted_networks {network}" for network in networks),
            *(f"internal_networks {network}" for network in networks),
            f"authres_trusted_authserv {authserv_id}",
            "",
        )
    )


def _distinct(networks: Sequence[Network]) -> Iterator[Network]:
    """Without those that lie within others: SpamAssassin warns of each."""
    for four in collapse_addresses(network for network in networks if isinstance(network, IPv4Network)):
        if not four.subnet_of(_LOOPBACK_4):
            yield four
    for six in collapse_addresses(network for network in networks if isinstance(network, IPv6Network)):
        if not six.subnet_of(_LOOPBACK_6):
            yield six
