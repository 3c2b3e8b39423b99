"""SPF: turns a client's address, its HELO name and its sender into results (RFC 7208, RFC 8601 section 2.7.2).

pyspf keeps the grammar, the order of results and the limits; query.py feeds it with our DNS. Read check.py first.
"""

from gateway.checks.spf.check import SpfCheck, SpfSettings
from gateway.checks.spf.result import FACTS, SpfIdentity, SpfResult, SpfWord
from gateway.checks.spf.trace import trace

__all__ = ["FACTS", "SpfCheck", "SpfIdentity", "SpfResult", "SpfSettings", "SpfWord", "trace"]
