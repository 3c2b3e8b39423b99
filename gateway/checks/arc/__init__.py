"""ARC: turns the chain of sets that forwarders added to a message into a verdict on it, and on who vouches; and adds a
set of our own (RFC 8617).

Signatures are verified by the code that verifies DKIM. Read check.py first, then sealer.py.
"""

from gateway.checks.arc.check import ArcCheck
from gateway.checks.arc.published import published_problem, zone_line
from gateway.checks.arc.result import ArcResult
from gateway.checks.arc.sealer import Sealer, configured_sealer
from gateway.checks.arc.sealingkey import SealingKeyError, read_sealing_key
from gateway.checks.arc.settings import ArcSettings, SealSettings
from gateway.checks.arc.status import ChainStatus

__all__ = [
    "ArcCheck",
    "ArcResult",
    "ArcSettings",
    "ChainStatus",
    "SealSettings",
    "Sealer",
    "SealingKeyError",
    "configured_sealer",
    "published_problem",
    "read_sealing_key",
    "zone_line",
]
