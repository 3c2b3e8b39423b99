"""DMARC: turns the author domain, the results of SPF and DKIM, and what DNS has of policies into a result (RFC 9989).

What it says is a result and the domain owner's policy; what becomes of a message is for the rules. Read check.py first.
"""

from gateway.checks.dmarc.check import DmarcCheck
from gateway.checks.dmarc.record import Policy
from gateway.checks.dmarc.result import FACTS, DmarcResult, Status

__all__ = ["FACTS", "DmarcCheck", "DmarcResult", "Policy", "Status"]
