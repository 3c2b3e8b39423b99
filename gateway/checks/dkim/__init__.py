"""DKIM: turns a message, and the keys that DNS has for its signatures, into results (RFC 6376, RFC 8601 section 2.7.1).

The verifying path is our own: linear in what a sender can send, and on OpenSSL. Read check.py first.
"""

from gateway.checks.dkim.check import DkimCheck, DkimSettings
from gateway.checks.dkim.result import DkimResult, DkimSignatureResult
from gateway.checks.dkim.status import Status

__all__ = ["DkimCheck", "DkimResult", "DkimSettings", "DkimSignatureResult", "Status"]
