"""ARC: turns the chain of sets that forwarders added to a message into a verdict on it, and on who vouches (RFC 8617).

Signatures are verified by the code that verifies DKIM. Read check.py first.
"""

from gateway.checks.arc.check import ArcCheck, ArcSettings
from gateway.checks.arc.result import ArcResult, ChainStatus

__all__ = ["ArcCheck", "ArcResult", "ArcSettings", "ChainStatus"]
